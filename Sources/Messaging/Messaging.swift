/// A message is frames; frames are bytes.
public typealias Frames = [[UInt8]]
