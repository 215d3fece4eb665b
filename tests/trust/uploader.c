/* What no hook of Python's sees: a program that connects, sends a datagram and looks up a name. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void attempt(int family, int kind, const char *host) {
  struct sockaddr_storage place = {0};
  socklen_t size = sizeof(struct sockaddr_in);
  place.ss_family = family;
  if (family == AF_INET) {
    struct sockaddr_in *to = (struct sockaddr_in *)&place;
    to->sin_port = htons(443);
    inet_pton(AF_INET, host, &to->sin_addr);
  } else {
    struct sockaddr_in6 *to = (struct sockaddr_in6 *)&place;
    to->sin6_port = htons(443);
    inet_pton(AF_INET6, host, &to->sin6_addr);
    size = sizeof *to;
  }
  int handle = socket(family, kind, 0);
  if (kind == SOCK_STREAM) {
    if (connect(handle, (struct sockaddr *)&place, size) == 0) puts("CONNECTED");
  } else if (sendto(handle, "x", 1, 0, (struct sockaddr *)&place, size) == 1) {
    puts("SENT");
  }
  close(handle);
}

int main(int count, char **words) {
  struct addrinfo *found;
  for (int at = 1; at < count; at++) {
    if (!strcmp(words[at], "tcp4")) attempt(AF_INET, SOCK_STREAM, "192.0.2.7");
    if (!strcmp(words[at], "udp4")) attempt(AF_INET, SOCK_DGRAM, "192.0.2.7");
    if (!strcmp(words[at], "tcp6")) attempt(AF_INET6, SOCK_STREAM, "2001:db8::7");
    if (!strcmp(words[at], "udp6")) attempt(AF_INET6, SOCK_DGRAM, "2001:db8::7");
    if (!strcmp(words[at], "here")) attempt(AF_INET, SOCK_DGRAM, "127.0.0.53");
    if (!strcmp(words[at], "name") && !getaddrinfo("example.org", "443", 0, &found)) puts("FOUND");
  }
  return 0;
}
