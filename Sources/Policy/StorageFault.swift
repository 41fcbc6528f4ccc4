// What the kernel said when a model folder could not be written: whoever waits for room on a disk
// needs the number, not the words.

import Safetensors

public enum StorageFault {
  /// The errno of an error of this room or of a safetensors file; nil for any other.
  public static func number(of error: any Error) -> Int32? {
    switch error {
    case let error as ModelFolderError: error.number == 0 ? nil : error.number
    case let error as SafetensorsError: error.number == 0 ? nil : error.number
    default: nil
    }
  }
}
