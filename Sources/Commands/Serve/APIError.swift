// Errors as clients of OpenAI's interface read them: a status, a sentence, the parameter at fault,
// a code.

import Documents
import HTTP

struct APIError: Error, Equatable {
  var status: Int
  var message: String
  /// The parameter at fault; nil when it is none's.
  var parameter: String?
  var code: String?

  static func bad(_ parameter: String?, _ message: String, code: String? = nil) -> APIError {
    APIError(status: 400, message: message, parameter: parameter, code: code)
  }

  private var type: String {
    switch status {
    case 401: "authentication_error"
    case 429: "rate_limit_error"
    case 500...: "server_error"
    default: "invalid_request_error"
    }
  }

  var document: Document {
    .object([
      (
        "error",
        .object([
          ("message", .string(message)), ("type", .string(type)),
          ("param", parameter.map(Document.string) ?? nil),
          ("code", code.map(Document.string) ?? nil),
        ])
      )
    ])
  }

  var response: HTTPResponse {
    var headers: [(name: String, value: String)] = []
    if status == 401 { headers.append(("WWW-Authenticate", "Bearer")) }
    if status == 429 || status == 503 { headers.append(("Retry-After", "1")) }
    return HTTPResponse(
      status: status, contentType: "application/json", headers: headers,
      body: .bytes(JSON.writeBytes(document)))
  }
}
