// The list of targets: what `Scripts/fuzz` takes by name and the test command runs in turn.

extension FuzzTarget {
  package static let all: [FuzzTarget] = [
    requests, replies, blobs, groups, safetensors, snapshots, json, yaml, settings, config,
    tokenizer, checkpoints, ledgerFile, keys, spans,
  ]
}
