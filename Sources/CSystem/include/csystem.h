// What Swift cannot call, or cannot call safely: variadic C functions, macros, and the signal
// handler, which may do nothing but write to a descriptor.
//
// Functions that return int return -1 and set errno on failure, like the calls they wrap.
#ifndef FORAGE_CSYSTEM_H
#define FORAGE_CSYSTEM_H

#include <spawn.h>
#include <stdint.h>
#include <sys/types.h>

// open(2), fcntl(2) and ioctl(2) are variadic.
int forage_open(const char *path, int flags, mode_t mode);
int forage_fcntl(int descriptor, int command, int argument);
// Columns and rows of the terminal behind a descriptor; 0 on success.
int forage_terminal_size(int descriptor, int *columns, int *rows);

// pipe2(2) with O_CLOEXEC, and a spawn action that closes everything from `first` up: Swift's Glibc
// module shows neither.
int forage_pipe(int *reading, int *writing);
int forage_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

// prctl(2) is variadic: the calling thread's name, at most 15 bytes; longer ones are cut.
int forage_set_thread_name(const char *name);

// An eventfd that never blocks and is closed on exec.
int forage_event_create(void);
// Makes it readable. Async-signal-safe.
int forage_event_signal(int descriptor);
// Makes it unreadable; 1 when it was readable, 0 when it was not.
int forage_event_drain(int descriptor);

// Installs one handler for SIGTERM, SIGINT and SIGHUP that counts and writes `descriptor`.
int forage_signals_watch(int descriptor);
// Gives the three signals their default dispositions back.
int forage_signals_unwatch(void);
// How many have arrived since the watch began, and which came last (0 for none).
int forage_signals_count(void);
int forage_signals_last(void);
int forage_ignore_sigpipe(void);

// What waitid(2) says of a child: 0 still runs, 1 exited with *status, 2 ended by signal *status.
// A child that ended is reaped. -1 when it is not ours to wait for.
int forage_child_state(pid_t child, int *status);
// A descriptor that becomes readable when the process ends; -1 where the kernel has none.
int forage_process_descriptor(pid_t process);

// Processors this process may run on, by its affinity mask; 0 when it cannot be read.
int forage_affinity_count(void);

#endif
