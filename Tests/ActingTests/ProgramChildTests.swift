// A person's verifier as a child: what it answers, and each way in which it gives no answer.

import Acting
import Documents
import Experience
import Glibc
import Operations
import Tasks
import Testing

@Suite struct ProgramChildTests {
  /// A judge by a shell script that reads lines.
  private func judge(
    _ script: String, seconds: Double = 10, maximumBytes: Int = 4096
  ) -> Judge {
    Judge(
      CommandVerifier(
        ProgramChild(
          LineProgramPlan(
            words: ["/bin/sh", "-c", script], seconds: seconds, maximumBytes: maximumBytes))))
  }

  private func verdict(_ judge: Judge, _ completion: String = "x") -> Verdict {
    judge.judge(Submission(completion: completion, answer: "a", tokenCount: 5))
  }

  private static let loop = "while read -r line; do"

  @Test func `a program sees each completion as a line and its answer is the verdict`() {
    let judge = judge(
      """
      n=0
      \(Self.loop) n=$((n + 1)); case "$line" in
        *'"completion":"good"'*) echo '{"parts":{"taste":0.5,"form":1},"strict":true}' ;;
        *) echo '{"reward":0,"strict":false,"lenient":true,"reason":"'$n'"}' ;;
      esac; done
      """)
    let good = verdict(judge, "good")
    #expect(good.isValid && good.isStrictlyCorrect && good.isLenientlyCorrect)
    #expect(
      good.parts == [
        RewardPart(position: 4, part: "taste", value: 0.5),
        RewardPart(position: 4, part: "form", value: 1),
      ])
    // The same process answers the next line.
    let bad = verdict(judge, "bad")
    #expect(bad.isValid && !bad.isStrictlyCorrect && bad.isLenientlyCorrect && bad.reason == "2")
  }

  @Test func `a line longer than a pipe holds goes through`() {
    let judge = judge("\(Self.loop) echo '{\"reward\":1,\"strict\":true}'; done")
    #expect(verdict(judge, String(repeating: "long ", count: 100_000)).reward == 1)
  }

  @Test(arguments: [
    ("exit 3", "exited with status 3"),
    ("kill -9 $$", "SIGKILL"),
    ("read -r line; sleep 60", "within 0.3 s"),
    ("sleep 60", "within 0.3 s"),
    ("read -r line; head -c 100000 /dev/zero | tr '\\0' x; sleep 60", "more than 4096 bytes"),
    ("read -r line; echo nonsense", "not JSON"),
    ("read -r line; echo '{\"reward\":1}'", "strict"),
    ("read -r line; echo '{\"rewards\":1,\"strict\":true}'", "reward"),
    ("read -r line; echo '{\"reward\":1e30,\"strict\":true}'", "reward"),
    ("read -r line; echo '{\"reward\":1,\"strict\":true,\"valid\":false}'", "invalid"),
    (
      "read -r line; printf '{\"parts\":{\"%0100d\":1},\"strict\":true}\\n' 1",
      "a name of 100 bytes, at most 64"
    ),
  ])
  func `a program that gives no verdict gives an invalid one, never a 0`(
    script: String, part: String
  ) {
    let seconds = part.contains("0.3 s") ? 0.3 : 10
    let verdict = verdict(judge(script, seconds: seconds))
    #expect(!verdict.isValid)
    #expect(verdict.reason.contains(part), "\(verdict.reason)")
  }

  @Test func `what a program started and left behind ends with it`() throws {
    var template = Array("/tmp/forage-left-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    close(descriptor)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { unlink(path) }
    let judge = judge(
      "sleep 300 > /dev/null 2>&1 < /dev/null & echo $! > \(path); read -r line; exit 3")
    #expect(verdict(judge).reason.contains("exited with status 3"))
    let process = try Files.readText(path, maximumBytes: 64).split(separator: "\n")[0]
    // Gone, or only not yet reaped by whoever inherited it.
    func isLeft() -> Bool {
      guard let stat = try? Files.readText("/proc/\(process)/stat", maximumBytes: 4096) else {
        return false
      }
      return !stat.contains(") Z ")
    }
    for _ in 0..<500 where isLeft() { usleep(10_000) }
    #expect(!isLeft())
  }

  @Test func `a program that is not there gives no verdict`() {
    let plan = LineProgramPlan(words: ["/nowhere/judge"], seconds: 1, maximumBytes: 64)
    let verdict = verdict(Judge(CommandVerifier(ProgramChild(plan))))
    #expect(!verdict.isValid && verdict.reason.contains("/nowhere/judge"))
  }

  @Test func `what a program says beside its verdicts shifts none of them`() {
    // The second completion's verdict comes after a stray line; the third's has one behind it.
    let judge = judge(
      """
      n=0
      \(Self.loop) n=$((n + 1))
        case "$line" in *'"completion":"noisy"'*) echo "warning: slow"; esac
        case "$line" in
          *'"completion":"right"'*|*'"completion":"trailed"'*) echo '{"reward":1,"strict":true}' ;;
          *) echo '{"reward":0,"strict":false}' ;;
        esac
        case "$line" in *'"completion":"trailed"'*) echo "by the way" ;; esac
      done
      """)
    #expect(verdict(judge, "right").reward == 1)
    #expect(!verdict(judge, "noisy").isValid)
    #expect(verdict(judge, "right").reward == 1)
    #expect(verdict(judge, "wrong").reward == 0)
    #expect(verdict(judge, "trailed").reward == 1)
    // The line behind it is on its way by now: a moment, and it is there.
    usleep(200_000)
    let next = verdict(judge, "wrong")
    #expect(next.isValid && next.reward == 0)
    #expect(verdict(judge, "right").reward == 1)
  }

  @Test func `after a failure the next line goes to a fresh program`() {
    let judge = judge(
      """
      n=0
      \(Self.loop) n=$((n + 1)); case "$line" in
        *'"completion":"deadly"'*) exit 1 ;;
        *) echo '{"reward":1,"strict":true,"reason":"'$n'"}' ;;
      esac; done
      """)
    #expect(verdict(judge).reason == "1" && verdict(judge).reason == "2")
    #expect(!verdict(judge, "deadly").isValid)
    #expect(verdict(judge).reason == "1")
  }
}
