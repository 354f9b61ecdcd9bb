/* A wall clock that jumps, for a program that is started with LD_PRELOAD=this: the file that JUMP names says how far, in
   seconds, and may be written anew at any time. Other clocks are left as they are. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static char *name;

/* At the start: later the program may have moved its environment. */
__attribute__((constructor)) static void begin(void) {
  const char *given = getenv("JUMP");
  name = given ? strdup(given) : NULL;
}

static long jump(void) {
  static long last;
  char text[32];
  int before = errno, file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    ssize_t size = read(file, text, sizeof text - 1);
    if (size > 0) { /* else it is just being written */
      text[size] = 0;
      last = atol(text);
    }
    close(file);
  }
  errno = before;
  return last;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}
