// SPDX-License-Identifier: Apache-2.0
// The least that serves /dev/cachefiles: one thread, no chunks, no cache of its own; what a miss costs without Sluice.
// usage: responder CACHE FILES      the object with cookie key K is the file FILES/K; says "ready", then works until
// SIGTERM; on SIGHUP it prints how many READs there were so far.
// Protocol: Documentation/filesystems/caching/cachefiles.rst of Linux.
#include <errno.h>
#include <fcntl.h>
#include <linux/cachefiles.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kMaxObjects = 256, kMaxRead = 1 << 20, kPage = 4096, kMaxMessage = 1024 };

static struct { int kernel, file; } objects[kMaxObjects];  // by object id
static unsigned char* data;
static volatile sig_atomic_t stopped, asked;

static void Stop(int signal) { stopped = signal; }
static void Ask(int signal) { asked = signal; }

static void Check(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "responder: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void Command(int device, const char* text) { Check(write(device, text, strlen(text)) > 0, text); }

static void Open(int device, int files, const struct cachefiles_msg* message) {
  const struct cachefiles_open* open = (const void*)message->data;
  char key[256] = "", reply[64];
  struct stat info;
  Check(message->object_id < kMaxObjects && open->cookie_key_size < sizeof key, "an OPEN with small numbers");
  memcpy(key, open->data + open->volume_key_size, open->cookie_key_size);
  int file = openat(files, key, O_RDONLY | O_CLOEXEC);
  Check(file >= 0 && fstat(file, &info) == 0, key);
  objects[message->object_id].kernel = (int)open->fd;
  objects[message->object_id].file = file;
  snprintf(reply, sizeof reply, "copen %u,%lld", message->msg_id, (long long)info.st_size);
  Command(device, reply);
}

static void Read(const struct cachefiles_msg* message) {
  const struct cachefiles_read* read = (const void*)message->data;
  Check(message->object_id < kMaxObjects && read->len <= kMaxRead, "a READ with small numbers");
  ssize_t got = pread(objects[message->object_id].file, data, read->len, (off_t)read->off);
  Check(got >= 0, "pread");
  memset(data + got, 0, read->len - (size_t)got);
  int kernel = objects[message->object_id].kernel;
  Check(pwrite(kernel, data, read->len, (off_t)read->off) >= (ssize_t)read->len, "pwrite");
  Check(ioctl(kernel, CACHEFILES_IOC_READ_COMPLETE, message->msg_id) == 0, "READ_COMPLETE");
}

int main(int argc, char** argv) {
  char buffer[kMaxMessage], text[512];
  unsigned long reads = 0;
  Check(argc == 3 && posix_memalign((void**)&data, kPage, kMaxRead) == 0, "usage: responder CACHE FILES");
  struct sigaction action = {.sa_handler = Stop};
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = Ask;
  sigaction(SIGHUP, &action, NULL);
  // Signals come while the program waits, and then only.
  sigset_t waiting, working;
  sigemptyset(&working);
  sigaddset(&working, SIGTERM);
  sigaddset(&working, SIGHUP);
  sigprocmask(SIG_BLOCK, &working, &waiting);
  int files = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Check(files >= 0, argv[2]);
  int device = open("/dev/cachefiles", O_RDWR | O_CLOEXEC);
  Check(device >= 0, "/dev/cachefiles");
  snprintf(text, sizeof text, "dir %s", argv[1]);
  Command(device, text);
  Command(device, "tag responder");
  Command(device, "bind ondemand");
  printf("ready\n");
  fflush(stdout);
  struct pollfd ready = {.fd = device, .events = POLLIN};
  while (!stopped) {
    ppoll(&ready, 1, NULL, &waiting);
    if (asked) {
      asked = 0;
      printf("%lu READs\n", reads);
      fflush(stdout);
    }
    ssize_t got;
    while ((got = read(device, buffer, sizeof buffer)) > 0) {
      const struct cachefiles_msg* message = (const void*)buffer;
      if (message->opcode == CACHEFILES_OP_OPEN) Open(device, files, message);
      if (message->opcode == CACHEFILES_OP_READ) reads++, Read(message);
      if (message->opcode == CACHEFILES_OP_CLOSE) close(objects[message->object_id].kernel);
    }
  }
  return 0;
}
