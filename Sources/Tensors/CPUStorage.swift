// What the CPU backend stores: aligned floats, weights in panels, and the key/value cache.

import CKernels
import Glibc

/// Zeroed float32 memory on a 64-byte boundary, freed with its last reference.
public final class CPUBuffer {
  public let count: Int
  /// Valid while the buffer lives.
  public let floats: UnsafeMutablePointer<Float>

  init(count: Int) {
    precondition(count >= 0, "a buffer of \(count) elements")
    self.count = count
    // At least one line, so that an empty buffer has an address too.
    let bytes = (max(count, 1) * MemoryLayout<Float>.stride + 63) / 64 * 64
    guard let memory = aligned_alloc(64, bytes) else {
      preconditionFailure("allocating \(bytes) bytes for a buffer of \(count) floats failed")
    }
    memset(memory, 0, bytes)
    floats = memory.bindMemory(to: Float.self, capacity: bytes / 4)
  }

  deinit { free(floats) }
}

/// A weight `[outputs, inputs]` in panels of 32 outputs: `panel[k][32]`, the tail zero.
public final class CPUPacked {
  public let outputs: Int
  public let inputs: Int
  let panels: Int
  let storage: CPUBuffer

  init(outputs: Int, inputs: Int) {
    self.outputs = outputs
    self.inputs = inputs
    panels = (outputs + panelWidth - 1) / panelWidth
    storage = CPUBuffer(count: panels * panelWidth * inputs)
  }
}

/// Keys in panels of 32 positions, `[slot, head, panel, headSize, 32]`, and values in rows,
/// `[slot, head, capacity, headSize]`. Lanes never written hold zeros or what an earlier sequence
/// left; attention masks them.
public final class CPUCache {
  public let slots: Int
  public let capacity: Int
  public let shape: AttentionShape
  let keys: CPUBuffer
  let values: CPUBuffer
  /// Floats of one slot and head in either array.
  let stride: Int

  init(slots: Int, capacity: Int, shape: AttentionShape) {
    self.slots = slots
    self.capacity = capacity
    self.shape = shape
    stride = (capacity + panelWidth - 1) / panelWidth * panelWidth * shape.headSize
    keys = CPUBuffer(count: slots * shape.keyValueHeads * stride)
    values = CPUBuffer(count: slots * shape.keyValueHeads * stride)
  }

  func keys(slot: Int, head: Int) -> UnsafeMutablePointer<Float> {
    keys.floats + (slot * shape.keyValueHeads + head) * stride
  }

  func values(slot: Int, head: Int) -> UnsafeMutablePointer<Float> {
    values.floats + (slot * shape.keyValueHeads + head) * stride
  }
}

/// Positions or outputs a panel holds.
let panelWidth = Int(FORAGE_PANEL)

/// Writes one key into panels as position `position`.
@inline(__always)
func scatterKey(
  _ panels: UnsafeMutablePointer<Float>, _ key: UnsafePointer<Float>, position: Int, headSize: Int
) {
  let to = panels + position / panelWidth * panelWidth * headSize + position % panelWidth
  for d in 0..<headSize { to[d * panelWidth] = key[d] }
}

/// Memory of one thread that grows and is kept. Its contents do not outlive a task.
struct Scratch {
  private var buffer = CPUBuffer(count: 0)

  mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
    if buffer.count < count { buffer = CPUBuffer(count: count + count / 2) }
    return buffer.floats
  }
}
