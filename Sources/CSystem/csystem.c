// See csystem.h. A page of C, because these calls are variadic, macros, or run in a signal handler.
#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int forage_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

int forage_fcntl(int descriptor, int command, int argument) {
  return fcntl(descriptor, command, argument);
}

int forage_terminal_size(int descriptor, int *columns, int *rows) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return -1;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return 0;
}

int forage_pipe(int *reading, int *writing) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  *reading = ends[0];
  *writing = ends[1];
  return 0;
}

int forage_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int forage_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int forage_event_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int forage_event_signal(int descriptor) {
  const uint64_t one = 1;
  ssize_t written;
  do {
    written = write(descriptor, &one, sizeof one);
  } while (written < 0 && errno == EINTR);
  // EAGAIN means the counter is full: it is readable, which is all that was asked.
  return written == sizeof one || errno == EAGAIN ? 0 : -1;
}

int forage_event_drain(int descriptor) {
  uint64_t count;
  ssize_t got;
  do {
    got = read(descriptor, &count, sizeof count);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof count) return 1;
  return errno == EAGAIN ? 0 : -1;
}

// Atomics that are lock-free on every target, so the handler may touch them.
static volatile int watched_descriptor = -1;
static volatile int arrived = 0;
static volatile int last_signal = 0;

static void note_signal(int signal) {
  const int saved = errno;
  __atomic_store_n(&last_signal, signal, __ATOMIC_RELAXED);
  __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
  const int descriptor = __atomic_load_n(&watched_descriptor, __ATOMIC_ACQUIRE);
  if (descriptor >= 0) (void)forage_event_signal(descriptor);
  errno = saved;
}

static const int watched[] = {SIGTERM, SIGINT, SIGHUP};
enum { watched_count = sizeof watched / sizeof watched[0] };

static int set_handlers(void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < watched_count; i++) {
    // Whoever started us with nohup wants a lost terminal to be no reason to stop.
    struct sigaction before;
    if (watched[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0
        && before.sa_handler == SIG_IGN) continue;
    if (sigaction(watched[i], &action, NULL) != 0) return -1;
  }
  return 0;
}

int forage_signals_watch(int descriptor) {
  __atomic_store_n(&arrived, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&last_signal, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&watched_descriptor, descriptor, __ATOMIC_RELEASE);
  // No SA_RESTART would break libraries that do not retry; the poller watches the descriptor.
  if (set_handlers(note_signal, SA_RESTART) != 0) return -1;
  // Whoever started us may have blocked them; the handler serves on whichever thread it runs.
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < watched_count; i++) sigaddset(&set, watched[i]);
  return sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int forage_signals_unwatch(void) {
  const int result = set_handlers(SIG_DFL, 0);
  __atomic_store_n(&watched_descriptor, -1, __ATOMIC_RELEASE);
  return result;
}

int forage_signals_count(void) { return __atomic_load_n(&arrived, __ATOMIC_ACQUIRE); }
int forage_signals_last(void) { return __atomic_load_n(&last_signal, __ATOMIC_ACQUIRE); }

int forage_ignore_sigpipe(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; }

int forage_child_state(pid_t child, int *status) {
  siginfo_t info;
  int result;
  do {
    info.si_pid = 0;
    result = waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return -1;
  if (info.si_pid == 0) return 0;
  *status = info.si_status;
  return info.si_code == CLD_EXITED ? 1 : 2;
}

int forage_process_descriptor(pid_t process) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, process, 0);
#else
  errno = ENOSYS;
  return -1;
#endif
}

int forage_affinity_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  return CPU_COUNT(&set);
}
