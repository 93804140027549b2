// The C library's functions that a client may use for KVM, in front of the C library's own
// (LD_PRELOAD). Each asks the one ClientProcess and otherwise does what the client wanted.

// Here open is open and not another name for open64.
#undef _FILE_OFFSET_BITS

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <optional>

#include "preload/client_process.h"
#include "preload/next_function.h"

namespace lethe::preload {
namespace {

// The one object of the process: the functions below get nothing else to find it by.
constinit ClientProcess client;

constinit NextFunction<int(const char*, int, mode_t)> next_open("open");
constinit NextFunction<int(const char*, int, mode_t)> next_open64("open64");
constinit NextFunction<int(int, const char*, int, mode_t)> next_openat("openat");
constinit NextFunction<int(int, const char*, int, mode_t)> next_openat64("openat64");
constinit NextFunction<int(const char*, int)> next_open_2("__open_2");
constinit NextFunction<int(const char*, int)> next_open64_2("__open64_2");
constinit NextFunction<int(int, const char*, int)> next_openat_2("__openat_2");
constinit NextFunction<int(int, const char*, int)> next_openat64_2("__openat64_2");
constinit NextFunction<int(int, unsigned long, std::uintptr_t)> next_ioctl("ioctl");
constinit NextFunction<int(int)> next_close("close");
constinit NextFunction<int(unsigned, unsigned, int)> next_close_range("close_range");
constinit NextFunction<int(int)> next_dup("dup");
constinit NextFunction<int(int, int)> next_dup2("dup2");
constinit NextFunction<int(int, int, int)> next_dup3("dup3");
constinit NextFunction<int(int, int, std::uintptr_t)> next_fcntl("fcntl");
constinit NextFunction<int(int, int, std::uintptr_t)> next_fcntl64("fcntl64");
constinit NextFunction<void*(void*, std::size_t, int, int, int, off_t)> next_mmap("mmap");
constinit NextFunction<int(void*, std::size_t)> next_munmap("munmap");

// A result as the C library returns it.
int Returned(int result) {
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

template <typename Next>
int Open(const char* path, int flags, Next next) {
  const std::optional<int> ours = client.Open(path, flags);
  return ours ? Returned(*ours) : next();
}

// The descriptor that the C library made of `fd`, or its error.
int Copied(int fd, int copy) {
  if (copy >= 0) client.NoteCopy(fd, copy);
  return copy;
}

// Before the descriptor `copy` is replaced by one of `fd`.
void MakeRoom(int fd, int copy) {
  if (fd != copy && next_fcntl(fd, F_GETFD, 0) >= 0) client.Close(copy);
}

template <typename Next>
int Control(int fd, int command, std::uintptr_t argument, Next& next) {
  const int result = next(fd, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? Copied(fd, result) : result;
}

void* Map(void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  void* const mapped = next_mmap(address, length, protection, flags, fd, offset);
  if (mapped == MAP_FAILED || (flags & MAP_ANONYMOUS) != 0) return mapped;
  const int error = client.NoteMapping(fd, mapped);
  if (error == 0) return mapped;
  next_munmap(mapped, length);
  errno = -error;
  return MAP_FAILED;
}

// The optional last argument of a function with `...`; the caller may not have passed one, in which
// case nobody looks at it.
#define LETHE_OPTIONAL_ARGUMENT(after, type, name) \
  va_list arguments;                               \
  va_start(arguments, after);                      \
  const type name = va_arg(arguments, type);       \
  va_end(arguments)

}  // namespace
}  // namespace lethe::preload

using namespace lethe::preload;  // NOLINT(google-build-using-namespace): the rest is C

extern "C" {

int open(const char* path, int flags, ...) {
  LETHE_OPTIONAL_ARGUMENT(flags, mode_t, mode);
  return Open(path, flags, [=] { return next_open(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  LETHE_OPTIONAL_ARGUMENT(flags, mode_t, mode);
  return Open(path, flags, [=] { return next_open64(path, flags, mode); });
}

int openat(int directory, const char* path, int flags, ...) {
  LETHE_OPTIONAL_ARGUMENT(flags, mode_t, mode);
  return Open(path, flags, [=] { return next_openat(directory, path, flags, mode); });
}

int openat64(int directory, const char* path, int flags, ...) {
  LETHE_OPTIONAL_ARGUMENT(flags, mode_t, mode);
  return Open(path, flags, [=] { return next_openat64(directory, path, flags, mode); });
}

// What programs call that were compiled with _FORTIFY_SOURCE.
int __open_2(const char* path, int flags) {
  return Open(path, flags, [=] { return next_open_2(path, flags); });
}

int __open64_2(const char* path, int flags) {
  return Open(path, flags, [=] { return next_open64_2(path, flags); });
}

int __openat_2(int directory, const char* path, int flags) {
  return Open(path, flags, [=] { return next_openat_2(directory, path, flags); });
}

int __openat64_2(int directory, const char* path, int flags) {
  return Open(path, flags, [=] { return next_openat64_2(directory, path, flags); });
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  LETHE_OPTIONAL_ARGUMENT(request, std::uintptr_t, argument);
  const std::optional<int> ours = client.Ioctl(fd, request, argument);
  return ours ? Returned(*ours) : next_ioctl(fd, request, argument);
}

int close(int fd) {
  const std::optional<int> ours = client.Close(fd);
  return ours ? Returned(*ours) : next_close(fd);
}

int close_range(unsigned first, unsigned last, int flags) noexcept {
  constexpr int kOnlyMark = 4;  // CLOSE_RANGE_CLOEXEC
  if ((flags & kOnlyMark) == 0) client.CloseRange(first, last);
  return next_close_range(first, last, flags);
}

int dup(int fd) noexcept { return Copied(fd, next_dup(fd)); }

int dup2(int fd, int copy) noexcept {
  MakeRoom(fd, copy);
  const int result = next_dup2(fd, copy);
  return fd == copy ? result : Copied(fd, result);
}

int dup3(int fd, int copy, int flags) noexcept {
  MakeRoom(fd, copy);
  return Copied(fd, next_dup3(fd, copy, flags));
}

int fcntl(int fd, int command, ...) {
  LETHE_OPTIONAL_ARGUMENT(command, std::uintptr_t, argument);
  return Control(fd, command, argument, next_fcntl);
}

int fcntl64(int fd, int command, ...) {
  LETHE_OPTIONAL_ARGUMENT(command, std::uintptr_t, argument);
  return Control(fd, command, argument, next_fcntl64);
}

void* mmap(void* address, std::size_t length, int protection, int flags, int fd,
           off_t offset) noexcept {
  return Map(address, length, protection, flags, fd, offset);
}

void* mmap64(void* address, std::size_t length, int protection, int flags, int fd,
             off64_t offset) noexcept {
  return Map(address, length, protection, flags, fd, offset);
}

int munmap(void* address, std::size_t length) noexcept {
  const int result = next_munmap(address, length);
  if (result == 0) client.NoteUnmapping(address, length);
  return result;
}

}  // extern "C"
