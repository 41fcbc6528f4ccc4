// What this thread asks the allocator for, and libFuzzer's driver where it is linked.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Starts counting anew on this thread.
void forage_allocations_reset(void);
// Bytes asked for in all since then, and by the greatest single call. Nothing is subtracted when
// memory is given back: the question is what a decoder asks for, not what it keeps.
uint64_t forage_allocations_total(void);
uint64_t forage_allocations_largest(void);

// Runs libFuzzer; -1 in a program that was built without it.
int forage_fuzz_run(int argc, char **argv, int (*attempt)(const uint8_t *bytes, size_t count));
// libFuzzer's own mutation; 0 in a program that was built without it.
size_t forage_fuzz_mutate(uint8_t *bytes, size_t count, size_t most);
