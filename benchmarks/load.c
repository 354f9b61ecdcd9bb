/* A WebSocket load generator for one core: epoll and libc, nothing else.

   It knows two roles, subscribers and publishers, and no protocol above WebSocket: what each says after the upgrade,
   and by which prefix a delivery, an answer and a greeting are known, come as options. Every measurement is one run:

     connect everybody -> warm up -> count for some seconds -> one JSON object on stdout

   - Fan-out: subscribers, and one publisher that keeps a few publishes in flight (or none: the server drives itself).
   - Ingest: publishers alone, each with `--in-flight` unanswered publishes.
   - Publish to snapshot: publishers at `--rate` in all, by a Poisson process, so that they never march in step with the
     server's beat. Publishes are numbered; a delivery shows a number (`--marker`), and with it all before it, or all of
     the same publisher where every publish is passed on by itself (`--singly 1`). Its age is that of the oldest publish
     it is the first to show, counted from when that publish was due, so that neither conflation nor a full socket hides
     a wait.
   - Stalled: the first `--stalled` subscribers are greeted and then never read again.
   - Idle memory and connect rate: subscribers, and nobody who publishes.

   Frames are parsed in place, many to a read; one that is cut by the end of a read is kept with its connection. CPU of
   the server (`--server PID`) and of this program are taken over exactly the window that is counted. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
  AT_ONCE = 128,             /* handshakes under way at a time */
  PATIENCE = 120,            /* seconds for all of them together */
  INPUT = 1 << 20,           /* one read, and so the longest frame */
  UNSENT = 256 << 10,        /* bytes a publisher may have waiting; then its publishes are not made */
  REMEMBERED = 1 << 20,      /* publishes whose time is known */
  AGE_STEP = 10000,          /* ns: resolution of ages */
  AGE_STEPS = 6000000,       /* up to a minute */
  DIGITS = 10,               /* of every number in a publish, so that its length never changes */
  MAX_HELLOS = 64,
  MAX_FIELDS = 8,
};
static const uint64_t FIRST_NUMBER = 1000000000; /* the first with that many digits */
static const uint64_t SECOND = 1000000000;
static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d}; /* not zero: some servers skip unmasking then */

typedef struct {
  const char *text;
  size_t length;
} Text;

typedef struct {
  enum { CONNECTING, UPGRADING, GREETING, OPEN, CLOSED } state;
  int fd;
  bool publisher, stalled;
  int greeted;                /* hellos answered */
  char *rest;                 /* the frame that the last read cut */
  size_t rest_length;
  uint8_t *out;               /* what the socket did not take */
  size_t out_length, out_capacity;
  uint64_t *unseen;           /* the oldest publish not seen yet: of all, or of each publisher */
  uint64_t deliveries;
} Connection;

static struct {
  int port, subscribers, stalled, publishers, in_flight, players, singly;
  double rate, warm_up, seconds;
  pid_t server;
  const char *path, *publisher_path, *protocol, *marker;
  Text ready, delivery, answer;
  Text hellos[MAX_HELLOS], publisher_hellos[MAX_HELLOS];
  int hello_count, publisher_hello_count;
} options = {.path = "/", .in_flight = 1, .players = 1, .warm_up = 0.3, .seconds = 1.0};

static struct {
  char *text;
  size_t length;
  struct {
    enum { NUMBER, RANDOM, PLAYER } kind;
    size_t offset;
  } fields[MAX_FIELDS];
  int field_count;
} publish;

static struct {
  uint64_t deliveries, bytes, reads, answers, publishes, unmade, others, closed;
  uint32_t *ages;
} counted;
static char unexpected[256];  /* the last frame that is neither delivery nor answer nor greeting */

static Connection *connections;
static int total, opened, pending;
static int epoll;
static bool publishing;
static char input[INPUT];
static uint64_t *due_at, number, now;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time)) fail("clock: %s", strerror(errno));
  return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t random_bits(void) { /* xorshift: the same sequence in every run */
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* -- the server, seen from outside ----------------------------------------------------------------------------------- */

static uint64_t server_cpu(void) {
  clockid_t clock;
  if (!options.server || clock_getcpuclockid(options.server, &clock)) return 0;
  struct timespec time;
  if (clock_gettime(clock, &time)) fail("the server has ended");
  return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static long server_rss(void) { /* KiB */
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", options.server);
  FILE *file = options.server ? fopen(path, "r") : NULL;
  if (!file) return 0;
  if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* -- out ------------------------------------------------------------------------------------------------------------- */

static void watch(Connection *connection, int how) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (connection->out_length || connection->state == CONNECTING) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll, how, connection->fd, &event)) fail("epoll: %s", strerror(errno));
}

static void drop(Connection *connection) {
  if (connection->state < OPEN) fail("a connection was closed before it was open; %s", unexpected);
  close(connection->fd);
  connection->state = CLOSED;
  counted.closed++;
}

static void flush(Connection *connection, bool was_waiting) {
  ssize_t sent = send(connection->fd, connection->out, connection->out_length, 0);
  if (sent < 0 && errno != EAGAIN) {
    drop(connection);
    return;
  }
  if (sent > 0) {
    connection->out_length -= (size_t)sent;
    memmove(connection->out, connection->out + sent, connection->out_length);
  }
  if (was_waiting != (connection->out_length > 0)) watch(connection, EPOLL_CTL_MOD);
}

static uint8_t *reserve(Connection *connection, size_t length) {
  size_t needed = connection->out_length + length;
  if (needed > connection->out_capacity) {
    connection->out_capacity = needed * 2;
    connection->out = realloc(connection->out, connection->out_capacity);
    if (!connection->out) fail("out of memory");
  }
  uint8_t *place = connection->out + connection->out_length;
  connection->out_length = needed;
  return place;
}

static void add_frame(Connection *connection, uint8_t opcode, const char *payload, size_t length) {
  size_t head = length < 126 ? 6 : 8;
  if (length > 0xffff) fail("frames to send have at most 65535 bytes");
  uint8_t *frame = reserve(connection, head + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (length < 126 ? (uint8_t)length : 126);
  if (head == 8) {
    frame[2] = (uint8_t)(length >> 8);
    frame[3] = (uint8_t)length;
  }
  memcpy(frame + head - 4, MASK, 4);
  for (size_t i = 0; i < length; i++) frame[head + i] = (uint8_t)payload[i] ^ MASK[i & 3];
}

static void send_text(Connection *connection, const char *text, size_t length) {
  bool waiting = connection->out_length > 0;
  add_frame(connection, 1, text, length);
  flush(connection, waiting);
}

/* -- publishing ------------------------------------------------------------------------------------------------------ */

static void parse_publish(const char *template) { /* {number}, {random} and {player} become digits */
  static const char *names[] = {[NUMBER] = "{number}", [RANDOM] = "{random}", [PLAYER] = "{player}"};
  char *to = publish.text = malloc(strlen(template) + MAX_FIELDS * DIGITS + 1);
  while (*template) {
    int kind = 0;
    while (kind <= PLAYER && strncmp(template, names[kind], strlen(names[kind]))) kind++;
    if (kind > PLAYER) {
      *to++ = *template++;
      continue;
    }
    if (publish.field_count == MAX_FIELDS) fail("too many fields in --publish");
    publish.fields[publish.field_count].kind = kind;
    publish.fields[publish.field_count++].offset = (size_t)(to - publish.text);
    to += DIGITS;
    template += strlen(names[kind]);
  }
  publish.length = (size_t)(to - publish.text);
}

static void write_digits(char *place, uint64_t value) {
  for (int i = DIGITS - 1; i >= 0; i--, value /= 10) place[i] = (char)('0' + value % 10);
}

static void add_publish(Connection *connection, uint64_t due) {
  for (int i = 0; i < publish.field_count; i++) {
    uint64_t value = FIRST_NUMBER;
    switch (publish.fields[i].kind) {
      case NUMBER: value += number; break;
      case RANDOM: value += random_bits() % (9 * FIRST_NUMBER); break;
      case PLAYER: value += number % (uint64_t)options.players; break;
    }
    write_digits(publish.text + publish.fields[i].offset, value);
  }
  due_at[number++ % REMEMBERED] = due;
  if (connection->out_length > UNSENT) {
    counted.unmade++;
    return;
  }
  add_frame(connection, 1, publish.text, publish.length);
  counted.publishes++;
}

static void publish_more(Connection *connection, int count) {
  bool waiting = connection->out_length > 0;
  for (int i = 0; i < count; i++) add_publish(connection, now);
  if (count) flush(connection, waiting);
}

static uint64_t publish_due(uint64_t due) { /* all that is due by now; when the next one is */
  while (due <= now) {
    Connection *publisher = &connections[options.subscribers + (int)(number % (uint64_t)options.publishers)];
    if (publisher->state == OPEN) {
      bool waiting = publisher->out_length > 0;
      add_publish(publisher, due);
      flush(publisher, waiting);
    }
    double unit = (double)(random_bits() >> 11) / (double)(1ull << 53);
    due += (uint64_t)(-log(1.0 - unit) / options.rate * (double)SECOND) + 1;
  }
  return due;
}

/* -- in -------------------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *payload, size_t length, Text prefix) {
  return prefix.length && length >= prefix.length && !memcmp(payload, prefix.text, prefix.length);
}

static void note_age(Connection *connection, const char *payload, size_t length) {
  const char *end = payload + length, *digit = memmem(payload, length, options.marker, strlen(options.marker));
  while (digit && digit < end && (*digit < '0' || *digit > '9')) digit++;
  uint64_t shown = 0;
  for (; digit && digit < end && *digit >= '0' && *digit <= '9'; digit++) shown = shown * 10 + (uint64_t)(*digit - '0');
  if (shown < FIRST_NUMBER || shown - FIRST_NUMBER >= number) return; /* nothing of ours yet */
  shown -= FIRST_NUMBER;
  uint64_t step = options.singly ? (uint64_t)options.publishers : 1;
  uint64_t *unseen = &connection->unseen[shown % step];
  if (shown < *unseen) return;
  uint64_t age = (now - due_at[*unseen % REMEMBERED]) / AGE_STEP;
  counted.ages[age < AGE_STEPS ? age : AGE_STEPS - 1]++;
  *unseen = shown + step;
}

static void next_hello(Connection *connection) {
  Text *hellos = connection->publisher ? options.publisher_hellos : options.hellos;
  int count = connection->publisher ? options.publisher_hello_count : options.hello_count;
  if (connection->greeted < count) {
    Text hello = hellos[connection->greeted];
    send_text(connection, hello.text, hello.length);
    return;
  }
  connection->state = OPEN;
  opened++;
  pending--;
  if (connection->stalled) epoll_ctl(epoll, EPOLL_CTL_DEL, connection->fd, NULL);
}

static int take_text(Connection *connection, const char *payload, size_t length) { /* answers: 0 or 1 */
  if (connection->publisher && starts_with(payload, length, options.answer)) {
    counted.answers++;
    return 1;
  }
  if (starts_with(payload, length, options.delivery)) {
    counted.deliveries++;
    counted.bytes += length;
    connection->deliveries++;
    if (options.marker) note_age(connection, payload, length);
  } else if (connection->state == GREETING && starts_with(payload, length, options.ready)) {
    connection->greeted++;
    next_hello(connection);
  } else if (length == 1 && *payload == '2') { /* Engine.IO's ping */
    send_text(connection, "3", 1);
  } else {
    counted.others++;
    snprintf(unexpected, sizeof unexpected, "%.*s", (int)length, payload);
  }
  return 0;
}

static size_t take_frames(Connection *connection, char *bytes, size_t length) { /* how many bytes they were */
  size_t start = 0;
  int answers = 0;
  while (length - start >= 2 && connection->state != CLOSED) {
    const uint8_t *frame = (const uint8_t *)bytes + start;
    size_t head = 2, size = frame[1] & 0x7f;
    if (size == 126) head = 4;
    if (size == 127) head = 10;
    if (length - start < head) break;
    if (head > 2) {
      size = 0;
      for (size_t i = 2; i < head; i++) size = size << 8 | frame[i];
    }
    if (length - start < head + size) break;
    const char *payload = bytes + start + head;
    start += head + size;
    switch (frame[0] & 0x0f) {
      case 1: answers += take_text(connection, payload, size); break;
      case 8: drop(connection); break;
      case 9: {
        bool waiting = connection->out_length > 0;
        add_frame(connection, 10, payload, size);
        flush(connection, waiting);
        break;
      }
      default: counted.others++;
    }
  }
  if (answers && publishing && !options.rate && connection->state == OPEN) publish_more(connection, answers);
  return start;
}

static size_t take_upgrade(Connection *connection, const char *bytes, size_t length) {
  const char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end) return 0;
  if (strncmp(bytes, "HTTP/1.1 101", 12)) fail("upgrade refused: %.*s", (int)(end - bytes), bytes);
  connection->state = GREETING;
  next_hello(connection);
  return (size_t)(end - bytes) + 4;
}

static void readable(Connection *connection) {
  size_t length = connection->rest_length, taken = 0;
  if (length) memcpy(input, connection->rest, length);
  ssize_t got = recv(connection->fd, input + length, INPUT - length, 0);
  if (got <= 0) {
    if (got == 0 || errno != EAGAIN) drop(connection);
    return;
  }
  counted.reads++;
  length += (size_t)got;
  if (connection->state == UPGRADING) taken = take_upgrade(connection, input, length);
  if (connection->state >= GREETING) taken += take_frames(connection, input + taken, length - taken);
  if (taken == 0 && length == INPUT) fail("a frame of more than %d bytes", INPUT);
  if (connection->state == CLOSED) return;
  connection->rest_length = length - taken;
  if (connection->rest_length) {
    connection->rest = realloc(connection->rest, connection->rest_length);
    memcpy(connection->rest, input + taken, connection->rest_length);
  }
}

static void writable(Connection *connection) {
  if (connection->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail("connect: %s", strerror(error));
    const char *path = connection->publisher && options.publisher_path ? options.publisher_path : options.path;
    char request[4096];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                          path, options.port, options.protocol ? "Sec-WebSocket-Protocol: " : "",
                          options.protocol ? options.protocol : "", options.protocol ? "\r\n" : "");
    memcpy(reserve(connection, (size_t)length), request, (size_t)length);
    connection->state = UPGRADING;
  }
  flush(connection, true);
}

/* -- the run --------------------------------------------------------------------------------------------------------- */

static void start_connection(Connection *connection) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connection->fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  /* Ends by a reset: tens of thousands of connections would else wait for their ports. */
  setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  /* What a stalled reader's own kernel takes is not the server's merit. */
  if (connection->stalled) setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
    fail("connect: %s", strerror(errno));
  pending++;
  watch(connection, EPOLL_CTL_ADD);
}

static void turn(uint64_t until) { /* wait for something to happen, up to a moment, and handle it */
  struct epoll_event events[512];
  uint64_t wait = until > now ? until - now : 0;
  struct timespec timeout = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
  int count = epoll_pwait2(epoll, events, 512, &timeout, NULL);
  if (count < 0 && errno != EINTR) fail("epoll: %s", strerror(errno));
  for (int i = 0; i < count; i++) {
    Connection *connection = events[i].data.ptr;
    now = clock_ns(CLOCK_MONOTONIC);
    if (events[i].events & EPOLLOUT && connection->state != CLOSED) writable(connection);
    if (events[i].events & ~(uint32_t)EPOLLOUT && connection->state != CLOSED) readable(connection);
  }
  now = clock_ns(CLOCK_MONOTONIC);
}

static void connect_all(void) {
  uint64_t end = now + PATIENCE * SECOND;
  for (int started = 0; opened < total;) {
    while (started < total && pending < AT_ONCE) start_connection(&connections[started++]);
    turn(end);
    if (now >= end) fail("%d of %d open after %d s; %s", opened, total, PATIENCE, unexpected);
  }
}

static uint64_t run_until(uint64_t end, uint64_t due) {
  while (now < end) {
    if (options.rate > 0) due = publish_due(due);
    turn(options.rate > 0 && due < end ? due : end);
  }
  return due;
}

static double age_ms(double share, uint64_t count) {
  uint64_t left = (uint64_t)(share * (double)count);
  for (int i = 0; i < AGE_STEPS; i++) {
    if (counted.ages[i] > left) return (i + 0.5) * AGE_STEP / 1e6;
    left -= counted.ages[i];
  }
  return 0;
}

static void print_text(const char *text) {
  putchar('"');
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar((unsigned char)*text < ' ' ? ' ' : *text);
  }
  putchar('"');
}

static void run(void) {
  long rss_before = server_rss();
  uint64_t cpu = server_cpu(), start = now = clock_ns(CLOCK_MONOTONIC);
  connect_all();
  double connect_seconds = (double)(now - start) / 1e9, connect_cpu = (double)(server_cpu() - cpu) / 1e9;

  publishing = options.publishers > 0;
  for (int i = options.subscribers; i < total && !options.rate; i++) publish_more(&connections[i], options.in_flight);
  uint64_t due = run_until(now + (uint64_t)(options.warm_up * 1e9), now);

  uint32_t *ages = counted.ages;
  memset(ages, 0, AGE_STEPS * sizeof *ages);
  memset(&counted, 0, sizeof counted);
  counted.ages = ages;
  for (int i = 0; i < total; i++) connections[i].deliveries = 0;
  long rss_open = server_rss();
  cpu = server_cpu();
  uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  start = now;
  run_until(now + (uint64_t)(options.seconds * 1e9), due);
  double seconds = (double)(now - start) / 1e9;
  double server_share = (double)(server_cpu() - cpu) / 1e9 / seconds;
  double own_share = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own) / 1e9 / seconds;

  uint64_t ages_count = 0, least = UINT64_MAX, most = 0;
  for (int i = 0; i < AGE_STEPS; i++) ages_count += counted.ages[i];
  for (int i = options.stalled; i < options.subscribers; i++) {
    if (connections[i].deliveries < least) least = connections[i].deliveries;
    if (connections[i].deliveries > most) most = connections[i].deliveries;
  }
  printf("{\"connections\":%d,\"stalled\":%d,", total, options.stalled);
  printf("\"connect_seconds\":%.4f,\"connect_server_cpu\":%.4f,", connect_seconds, connect_cpu);
  printf("\"seconds\":%.4f,\"server_cpu\":%.4f,\"own_cpu\":%.4f,", seconds, server_share, own_share);
  printf("\"deliveries\":%lu,\"delivered_bytes\":%lu,\"reads\":%lu,", counted.deliveries, counted.bytes, counted.reads);
  printf("\"least\":%lu,\"most\":%lu,", options.subscribers > options.stalled ? least : 0, most);
  printf("\"publishes\":%lu,\"unmade\":%lu,\"answers\":%lu,", counted.publishes, counted.unmade, counted.answers);
  printf("\"ages\":%lu,\"age_p50_ms\":%.2f,\"age_p99_ms\":%.2f,", ages_count, age_ms(0.5, ages_count), age_ms(0.99, ages_count));
  printf("\"rss_before\":%ld,\"rss_open\":%ld,\"rss_after\":%ld,", rss_before, rss_open, server_rss());
  printf("\"closed\":%lu,\"others\":%lu,\"other\":", counted.closed, counted.others);
  print_text(counted.others ? unexpected : "");
  printf("}\n");
}

/* -- options --------------------------------------------------------------------------------------------------------- */

static Text text(const char *value) { return (Text){value, strlen(value)}; }

static void add_hello(Text *hellos, int *count, const char *value) {
  if (*count == MAX_HELLOS) fail("too many hellos");
  hellos[(*count)++] = text(value);
}

static void take_option(const char *name, const char *value) {
  static const struct {
    const char *name;
    enum { INTEGER, REAL, STRING, PREFIX } kind;
    void *place;
  } table[] = {
      {"--port", INTEGER, &options.port},
      {"--server", INTEGER, &options.server},
      {"--subscribers", INTEGER, &options.subscribers},
      {"--stalled", INTEGER, &options.stalled},
      {"--publishers", INTEGER, &options.publishers},
      {"--in-flight", INTEGER, &options.in_flight},
      {"--players", INTEGER, &options.players},
      {"--singly", INTEGER, &options.singly},
      {"--rate", REAL, &options.rate},
      {"--warm-up", REAL, &options.warm_up},
      {"--seconds", REAL, &options.seconds},
      {"--path", STRING, &options.path},
      {"--publisher-path", STRING, &options.publisher_path},
      {"--protocol", STRING, &options.protocol},
      {"--marker", STRING, &options.marker},
      {"--ready", PREFIX, &options.ready},
      {"--delivery", PREFIX, &options.delivery},
      {"--answer", PREFIX, &options.answer},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (strcmp(name, table[i].name)) continue;
    switch (table[i].kind) {
      case INTEGER: *(int *)table[i].place = atoi(value); break;
      case REAL: *(double *)table[i].place = atof(value); break;
      case STRING: *(const char **)table[i].place = value; break;
      case PREFIX: *(Text *)table[i].place = text(value); break;
    }
    return;
  }
  if (!strcmp(name, "--hello")) add_hello(options.hellos, &options.hello_count, value);
  else if (!strcmp(name, "--publisher-hello")) add_hello(options.publisher_hellos, &options.publisher_hello_count, value);
  else if (!strcmp(name, "--publish")) parse_publish(value);
  else fail("no option %s", name);
}

int main(int count, char **arguments) {
  if (count % 2 == 0) fail("every option takes one value");
  for (int i = 1; i < count; i += 2) take_option(arguments[i], arguments[i + 1]);
  if (options.publishers && !publish.text) fail("--publishers without --publish");
  signal(SIGPIPE, SIG_IGN);
  total = options.subscribers + options.publishers;
  connections = calloc((size_t)total, sizeof *connections);
  due_at = calloc(REMEMBERED, sizeof *due_at);
  counted.ages = calloc(AGE_STEPS, sizeof *counted.ages);
  epoll = epoll_create1(0);
  if (!connections || !due_at || !counted.ages || epoll < 0) fail("out of memory");
  for (int i = 0; i < total; i++) {
    connections[i].publisher = i >= options.subscribers;
    connections[i].stalled = i < options.stalled;
    if (!options.marker || i >= options.subscribers) continue;
    connections[i].unseen = calloc((size_t)options.publishers, sizeof(uint64_t));
    for (int j = 0; connections[i].unseen && j < options.publishers; j++) connections[i].unseen[j] = (uint64_t)j;
  }
  run();
  return 0;
}
