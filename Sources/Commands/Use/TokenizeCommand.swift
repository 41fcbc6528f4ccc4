// forage tokenize: texts to token ids and back, as a model's tokenizer.json says, so that any other
// program can be held against it and a person can see what a model is fed.
//
//   in:   {"text": "..."}                                   out:  [id, id, ...]
//   in:   {"messages": [{"role": "...", "content": "..."}]} out:  [id, id, ...]   with --chat
//   in:   [id, id, ...]                      with --decode  out:  {"text": "..."}
//
// A text's special tokens are found, and none is added. In a chat those of its template are there,
// and what its messages spell stays text.

import Documents
import Experience
import Operations
import Policy

enum TokenizeCommand: Command {
  /// What is written at once: one call a line costs more than the line.
  private static let blockBytes = 1 << 16
  /// A line of this many ids is at its longest.
  private static let maximumTokens = 1 << 20

  static let usage = Usage(
    "forage tokenize",
    "Prints the token ids of texts: for each line {\"text\":...} one JSON array. With --chat, "
      + "lines are {\"messages\":[{\"role\":...,\"content\":...}]}; with --decode, they are arrays "
      + "of ids and the texts are printed.",
    options: [
      .value("tokenizer", "DIR", "a folder with tokenizer.json"),
      .value("input", "FILE", "the lines; - is standard input"),
      .value(
        "chat", "NAME",
        "lay messages out by this template: \(ChatTemplate.names), or auto for the folder's own"),
      .flag("decode", "from ids to text"),
      .flag("special", "with --decode: special tokens are part of the text"),
    ],
    example: "echo '{\"text\":\"12+34=\"}' | forage tokenize --tokenizer runs/arithmetic-001/"
      + "checkpoints/step-000000 --input -")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let path = try arguments.requiredValue("tokenizer")
    let input = try arguments.requiredValue("input")
    let isDecoding = arguments.flag("decode")
    guard !arguments.flag("special") || isDecoding, arguments.value("chat") == nil || !isDecoding
    else {
      throw ArgumentError(
        program: usage.program,
        fact: .unexpectedPositional(arguments.flag("special") ? "--special alone" : "--chat"))
    }
    let lines = try LineReader(path: input)
    let tokenizer = try Tokenizer(folder: path)
    let template = try template(arguments, tokenizer)
    var block = ""
    defer { Terminal.write(block) }
    while let line = try lines.next() {
      if isDecoding {
        let ids = try ids(line, lines, tokenizer)
        let text = tokenizer.decode(ids, includingSpecial: arguments.flag("special"))
        block += JSON.write(.object([("text", .string(text))])) + "\n"
      } else if let template {
        append(template.tokens(try messages(line, lines), tokenizer), to: &block)
      } else {
        append(tokenizer.encode(try text(line, lines)), to: &block)
      }
      if block.utf8.count >= blockBytes {
        Terminal.write(block)
        block = ""
      }
    }
    return .success
  }

  private static func template(
    _ arguments: Arguments, _ tokenizer: Tokenizer
  ) throws -> ChatTemplate? {
    guard let name = arguments.value("chat") else { return nil }
    if name == "auto" { return try ChatTemplate(of: tokenizer) }
    guard let template = ChatTemplate(rawValue: name) else {
      throw arguments.bad("chat", name, "\(ChatTemplate.names) or auto")
    }
    return template
  }

  private static func append(_ ids: [Int32], to block: inout String) {
    var bytes: [UInt8] = [UInt8(ascii: "[")]
    bytes.reserveCapacity(6 * ids.count + 2)
    for (index, id) in ids.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes.append(contentsOf: String(id).utf8)
    }
    bytes.append(UInt8(ascii: "]"))
    bytes.append(UInt8(ascii: "\n"))
    block += String(decoding: bytes, as: UTF8.self)
  }

  private static func text(_ line: [UInt8], _ lines: LineReader) throws -> String {
    let fields = try lines.fields(line)
    do throws(DocumentError) {
      return try fields.string("text", maximumLength: LineReader.maximumLineBytes)
    } catch {
      throw lines.bad(error)
    }
  }

  private static func messages(_ line: [UInt8], _ lines: LineReader) throws -> [ChatMessage] {
    let fields = try lines.fields(line)
    do throws(DocumentError) {
      return try ChatMessage.list(fields, "messages")
    } catch {
      throw lines.bad(error)
    }
  }

  private static func ids(
    _ line: [UInt8], _ lines: LineReader, _ tokenizer: Tokenizer
  ) throws -> [Int32] {
    let document: Document
    do {
      document = try JSON.parse(
        line, source: lines.name, maximumByteCount: LineReader.maximumLineBytes)
    } catch {
      throw lines.bad(error)
    }
    guard case .array(let elements) = document.value, elements.count <= maximumTokens else {
      throw lines.bad(
        "it is no array of at most \(maximumTokens) ids", remedy: "each line is like [5, 17, 2]")
    }
    var ids: [Int32] = []
    ids.reserveCapacity(elements.count)
    for element in elements {
      guard case .integer(let id) = element.value, 0..<tokenizer.vocabularySize ~= id else {
        throw lines.bad(
          "\(JSON.write(element)) is no id from 0 to \(tokenizer.vocabularySize - 1)", remedy: "")
      }
      ids.append(Int32(id))
    }
    return ids
  }
}
