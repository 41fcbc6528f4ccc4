// The bytes of groups that wait to be leased, so that a lease need not read them from the disk.
//
// A cache and no more: what does not fit is read again from the store.

struct BlobCache {
  let maximumBytes: Int
  private(set) var bytes = 0
  private var blobs: [Int: [UInt8]] = [:]
  /// When each ticket's group arrived in this process, whether its bytes fitted or not.
  private var arrivals: [Int: Int64] = [:]

  init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

  /// Keeps a training ticket's blob if there is room: the lowest numbers come first and are leased
  /// first, so there is nothing to gain by throwing one out for a later one.
  mutating func keep(_ number: Int, _ blob: [UInt8], at now: Int64) {
    forget(number)
    arrivals[number] = now
    guard bytes + blob.count <= maximumBytes else { return }
    bytes += blob.count
    blobs[number] = blob
  }

  func blob(_ number: Int) -> [UInt8]? { blobs[number] }

  /// When the ticket's group arrived in this process; nil for one that came before it began.
  func arrival(_ number: Int) -> Int64? { arrivals[number] }

  /// Milliseconds since these groups arrived, mean and greatest, of those this process received.
  func waits(of numbers: [Int], at now: Int64) -> (mean: Int, greatest: Int) {
    let waits = numbers.compactMap { arrivals[$0] }.map { Int((now - $0) / 1_000_000) }
    guard !waits.isEmpty else { return (0, 0) }
    return (waits.reduce(0, +) / waits.count, waits.max() ?? 0)
  }

  mutating func forget(_ number: Int) {
    arrivals[number] = nil
    if let blob = blobs.removeValue(forKey: number) { bytes -= blob.count }
  }
}
