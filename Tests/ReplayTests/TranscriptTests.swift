import Experience
import Replay
import Testing

@Suite struct TranscriptTests {
  /// The learner has said hello with version 0, and two actors theirs.
  static let opening = """
    learner hello with 0  =>  record epoch 1
    recorded              =>  learner: welcome 1
    a hello               =>  a: welcome 0
    b hello               =>  b: welcome 0
    """

  @Test func `a synchronous step goes from tickets to a commit, and only then on`() {
    var transcript = Transcript(batch: 2, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 5 with 0  =>  a: tickets 0 1
        b tickets 5 with 0
        a group 0 of 0      =>  store 0
        stored 0            =>  a: ack 0
        learner lease 0
        a group 1 of 0      =>  store 1
        stored 1            =>  a: ack 1; record lease 0 of 0 1
        recorded            =>  learner: lease 0 of 0 1
        learner commit 0    =>  record commit 0, trained without-spread
        recorded            =>  learner: committed 0; b: fetch 1
        b tickets 5 with 1  =>  b: tickets 2 3
        """)
  }

  @Test func `at lag 1 a batch is granted ahead, and what it waits for has a name`() {
    var transcript = Transcript(batch: 2, lagMax: 1)
    transcript.run(
      Self.opening + """

        a tickets 3 with 0  =>  a: tickets 0 1 2
        b tickets 3 with 0  =>  b: tickets 3
        b tickets 3 with 0
        tick 1000           =>  b: wait for actors to fill 2 of 2 groups of step 0 (a holds 3, b holds 1)
        learner lease 0
        tick 1000           =>  learner: wait for actors to fill 2 of 2 groups of step 0 (a holds 3, b holds 1)
        a group 2 of 0      =>  store 2
        b group 3 of 0      =>  store 3
        stored 2 3          =>  a: ack 2; b: ack 3
        learner lease 0     =>  record lease 0 of 2 3
        recorded            =>  learner: lease 0 of 2 3
        b tickets 1 with 0
        tick 1000           =>  b: wait for the learner to commit step 0
        b tickets 1 with 0
        learner commit 0    =>  record commit 0, trained without-spread
        # Ticket 4 is of batch 2, which version 0 may not serve.
        recorded            =>  learner: committed 0; b: fetch 1
        b tickets 1 with 1  =>  b: tickets 4
        """)
  }

  @Test func `a lease is frozen: lower tickets that come later are not in it`() {
    var transcript = Transcript(batch: 1, lagMax: 1)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0  =>  a: tickets 0
        b tickets 1 with 0  =>  b: tickets 1
        b group 1 of 0      =>  store 1
        stored 1            =>  b: ack 1
        learner lease 0     =>  record lease 0 of 1
        recorded            =>  learner: lease 0 of 1
        a group 0 of 0      =>  store 0
        stored 0            =>  a: ack 0
        learner lease 0     =>  learner: lease 0 of 1
        learner commit 0    =>  record commit 0, trained
        recorded            =>  learner: committed 0
        learner lease 1     =>  record lease 1 of 0
        """)
  }

  @Test func `a group that comes twice is acknowledged twice, never before the original's commit`()
  {
    var transcript = Transcript(batch: 2, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0  =>  a: tickets 0
        a group 0 of 0      =>  store 0
        a group 0 of 0
        b group 0 of 0
        stored 0            =>  a: ack 0; a: ack 0; b: ack 0
        a group 0 of 0      =>  a: ack 0
        """)
  }

  @Test func `a stale group is dropped and its ticket reissued before new ones`() {
    var transcript = Transcript(batch: 1, lagMax: 1)
    transcript.run(
      Self.opening + """

        a tickets 2 with 0  =>  a: tickets 0 1
        a group 1 of 0      =>  store 1
        stored 1            =>  a: ack 1
        learner lease 0     =>  record lease 0 of 1
        recorded            =>  learner: lease 0 of 1
        learner commit 0    =>  record commit 0, trained
        recorded            =>  learner: committed 0
        b tickets 1 with 1  =>  b: tickets 2
        b group 2 of 1      =>  store 2
        stored 2            =>  b: ack 2
        learner lease 1     =>  record lease 1 of 2
        recorded            =>  learner: lease 1 of 2
        # Ticket 0 was sampled with version 0 and comes too late for step 2.
        learner commit 1    =>  record commit 1, trained
        recorded            =>  learner: committed 1
        a group 0 of 0      =>  drop 0 stale on arrival; a: refused stale
        a tickets 2 with 0  =>  a: fetch 2
        a tickets 2 with 2  =>  a: tickets 0 3
        """)
  }

  @Test func `a group that grows stale on the shelf is dropped when the step that needs it comes`()
  {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0  =>  a: tickets 0
        a group 0 of 0      =>  store 0
        stored 0            =>  a: ack 0
        learner lease 0     =>  record lease 0 of 0
        # Found damaged before it is recorded: dropped, reissued, leased anew.
        damaged 0           =>  drop 0 corrupt
        b tickets 1 with 0  =>  b: tickets 0
        b group 0 of 0      =>  store 0
        stored 0            =>  b: ack 0; record lease 0 of 0
        recorded            =>  learner: lease 0 of 0
        # Found damaged after it was leased: the lease is no more.
        learner lease 0     =>  learner: lease 0 of 0
        damaged 0           =>  forget lease 0; drop 0 corrupt
        learner commit 0 tickets 0  =>  learner: refused order
        """)
  }

  @Test func `a silent actor's ticket goes to another, and its late group is welcome`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0  =>  a: tickets 0
        """)
    // Thirty seconds of ticks, in which b lives and a does not.
    for _ in 0..<29 { transcript.run("tick 1000\nb beats => b: alive") }
    transcript.run(
      """
      b tickets 1 with 0
      tick 1000           =>  b: tickets 0
      a group 0 of 0      =>  store 0
      b group 0 of 0
      stored 0            =>  a: ack 0; b: ack 0
      """)
  }

  @Test func `heartbeats keep a ticket, and a stall of replay itself ends no lease`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(Self.opening + "\n" + "a tickets 1 with 0 => a: tickets 0")
    for _ in 0..<40 { transcript.run("tick 1000\na beats 0 => a: alive") }
    transcript.run(
      """
      b tickets 1 with 0
      tick 100000  =>  b: wait for actors to fill 1 of 1 groups of step 0 (a holds 1)
      b tickets 1 with 0
      tick 900
      """)
  }

  @Test func `a newer learner fences the older one`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        learner lease 0
        rival hello with 0      =>  record epoch 2
        recorded                =>  learner: refused fenced; rival: welcome 2
        a tickets 1 with 0      =>  a: tickets 0
        a group 0 of 0          =>  store 0
        stored 0                =>  a: ack 0
        rival lease 0           =>  record lease 0 of 0
        recorded                =>  rival: lease 0 of 0
        learner commit 0 epoch 1  =>  learner: refused fenced
        learner commit 0 epoch 2  =>  learner: refused fenced
        rival commit 0          =>  record commit 0, trained
        recorded                =>  rival: committed 0
        """)
  }

  /// Back on a connection that replay does not know it is known by its process.
  @Test func `a learner that was cut off and overtaken is fenced at its hello`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        rival hello with 0      =>  record epoch 2
        recorded                =>  rival: welcome 2
        gone learner
        gone rival
        learner hello with 0    =>  learner: refused fenced
        rival hello with 0      =>  record epoch 3
        recorded                =>  rival: welcome 3
        # Its welcome was lost.
        rival hello with 0      =>  record epoch 4
        recorded                =>  rival: welcome 4
        learner hello with 0    =>  learner: refused fenced
        """)
    // A replay that was started again knows it still.
    var history = LedgerHistory()
    history.epoch = 4
    history.version = Transcript.version(0)
    history.digests[0] = Transcript.version(0).digest
    history.learnerInstances = ["learner", "rival"]
    var again = Transcript(batch: 1, lagMax: 0, history: history)
    again.run(
      """
      learner hello with 0    =>  learner: refused fenced
      rival hello with 0      =>  record epoch 5
      recorded                =>  rival: welcome 5
      """)
  }

  /// Found by seed 41325: each of two sendings found the damage, and dissolved a lease.
  @Test func `a learner that asks again while its batch is recorded is sent it once`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0      =>  a: tickets 0
        a group 0 of 0          =>  store 0
        stored 0                =>  a: ack 0
        learner lease 0         =>  record lease 0 of 0
        learner lease 0
        recorded  =>  learner: wait for the later request of this peer; learner: lease 0 of 0
        damaged 0               =>  forget lease 0; drop 0 corrupt
        """)
  }

  @Test func `a commit is of the next step, with its batch, and repeated only as it was`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        learner commit 0            =>  learner: refused order
        a tickets 1 with 0          =>  a: tickets 0
        a group 0 of 0              =>  store 0
        stored 0                    =>  a: ack 0
        learner lease 1             =>  learner: refused order
        learner lease 0             =>  record lease 0 of 0
        recorded                    =>  learner: lease 0 of 0
        learner commit 1            =>  learner: refused order
        learner commit 0 tickets 1  =>  learner: refused order
        # A skipped step must leave the weights as they were.
        learner commit 0 skipped            =>  learner: refused invalid
        learner commit 0 skipped digest 0   =>  record commit 0, skipped
        unrecorded                          =>  learner: refused busy
        learner commit 0 skipped digest 0   =>  record commit 0, skipped
        recorded                            =>  learner: committed 0
        learner commit 0 tickets 0          =>  learner: compare 0
        learner lease 0                     =>  learner: recorded lease 0
        """)
  }

  @Test func `what is not of this run is refused by name`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      """
      a tickets 1 with 0        =>  a: refused hello-first
      a hello                   =>  a: welcome 0
      a tickets 1
      tick 1000                 =>  a: wait for the learner to say hello with version 0
      learner hello with 3      =>  learner: refused another-run
      """ + "\n" + Self.opening + """

        a tickets 1               =>  a: fetch 0
        a lease 0                 =>  a: refused role
        learner tickets 1 with 0  =>  learner: refused role
        a group 7 of 0            =>  a: refused unknown-ticket
        a tickets 1 with 0        =>  a: tickets 0
        a group 0 of 0 digest 9   =>  drop 0 invalid on arrival; a: refused another-run
        a tickets 1 with 0        =>  a: tickets 0
        a group 0 of 1            =>  drop 0 invalid on arrival; a: refused another-run
        a tickets 1 with 0        =>  a: tickets 0
        a garbage 0               =>  drop 0 invalid on arrival; a: refused invalid
        b tickets 1 with 0        =>  b: tickets 0
        rival hello with 0        =>  record epoch 2
        """)
  }

  @Test func `a full disk refuses groups and takes nothing away`() {
    var transcript = Transcript(batch: 1, lagMax: 0)
    transcript.run(
      Self.opening + """

        a tickets 1 with 0  =>  a: tickets 0
        a group 0 of 0      =>  store 0
        full 0              =>  a: refused busy
        b tickets 1 with 0
        a group 0 of 0      =>  store 0
        stored 0            =>  a: ack 0
        """)
  }
}
