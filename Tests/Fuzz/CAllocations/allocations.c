// The allocator's front door, with a counter for each thread.
//
// A decoder that reserves what a sender only claims shows in no resident size: untouched pages cost
// nothing until somebody sends the second half. So the calls themselves are counted. The program
// defines malloc and its kin, which every library in the process then uses; glibc's own stay
// reachable under their other names. Counters are a thread's own: tests beside this one do not
// disturb them.

#include "allocations.h"

#include <errno.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Thread_local uint64_t total, largest;

static void note(uint64_t bytes) {
  total += bytes;
  if (bytes > largest) largest = bytes;
}

void *malloc(size_t bytes) {
  note(bytes);
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t size) {
  uint64_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) bytes = UINT64_MAX >> 1;
  note(bytes);
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t bytes) {
  note(bytes);
  return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  void *memory = memalign(alignment, bytes);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void forage_allocations_reset(void) { total = largest = 0; }
uint64_t forage_allocations_total(void) { return total; }
uint64_t forage_allocations_largest(void) { return largest; }

__attribute__((weak)) extern int LLVMFuzzerRunDriver(
    int *, char ***, int (*)(const uint8_t *, size_t));
__attribute__((weak)) extern size_t LLVMFuzzerMutate(uint8_t *, size_t, size_t);

int forage_fuzz_run(int argc, char **argv, int (*attempt)(const uint8_t *, size_t)) {
  return LLVMFuzzerRunDriver ? LLVMFuzzerRunDriver(&argc, &argv, attempt) : -1;
}

size_t forage_fuzz_mutate(uint8_t *bytes, size_t count, size_t most) {
  return LLVMFuzzerMutate ? LLVMFuzzerMutate(bytes, count, most) : 0;
}
