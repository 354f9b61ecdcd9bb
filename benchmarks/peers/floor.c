/* What delivery costs at least: one blocking send() per socket, and nothing else. */

#include <sys/socket.h>

int fan_out(const int *sockets, int count, const char *bytes, long length) {
  for (int i = 0; i < count; i++)
    if (send(sockets[i], bytes, (size_t)length, MSG_NOSIGNAL) != length) return -1;
  return 0;
}
