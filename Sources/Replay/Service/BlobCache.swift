// The bytes of groups that wait to be leased, so that a lease need not read them from the disk.
//
// A cache and no more: what does not fit is read again from the store.

struct BlobCache {
  let maximumBytes: Int
  private(set) var bytes = 0
  private var blobs: [Int: [UInt8]] = [:]

  init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

  /// Keeps a training ticket's blob if there is room: the lowest numbers come first and are leased
  /// first, so there is nothing to gain by throwing one out for a later one.
  mutating func keep(_ number: Int, _ blob: [UInt8]) {
    forget(number)
    guard bytes + blob.count <= maximumBytes else { return }
    bytes += blob.count
    blobs[number] = blob
  }

  func blob(_ number: Int) -> [UInt8]? { blobs[number] }

  mutating func forget(_ number: Int) {
    if let blob = blobs.removeValue(forKey: number) { bytes -= blob.count }
  }
}
