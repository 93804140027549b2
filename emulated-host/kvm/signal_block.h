#ifndef LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_
#define LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_

#include <pthread.h>

#include <csignal>
#include <optional>

namespace lethe::emulated {

// Holds back the signals of the calling thread for a scope. Whoever looks around first and then
// sleeps with mask() in force (ppoll(2)) misses none that comes in between.
class SignalBlock {
 public:
  SignalBlock() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

  // The thread's signal mask outside of the scope.
  const sigset_t& mask() const { return before_; }

 private:
  sigset_t before_;
};

// The signal mask of KVM_SET_SIGNAL_MASK in force for a scope, if there is one. A signal that is
// pending and would be admitted is left for the caller of KVM_RUN: then the mask stays as it is. As
// the handlers of those that come later run at once, they are not pending when KVM_RUN returns,
// which they would be on a kernel.
class RunSignalMask {
 public:
  explicit RunSignalMask(const std::optional<sigset_t>& mask) {
    if (!mask) return;
    sigset_t pending;
    sigpending(&pending);
    for (int number = 1; number < NSIG && !interrupted_; ++number) {
      interrupted_ = sigismember(&pending, number) == 1 && sigismember(&*mask, number) == 0;
    }
    if (interrupted_) return;
    pthread_sigmask(SIG_SETMASK, &*mask, &before_.emplace());
  }
  ~RunSignalMask() {
    if (before_) pthread_sigmask(SIG_SETMASK, &*before_, nullptr);
  }
  RunSignalMask(const RunSignalMask&) = delete;
  RunSignalMask& operator=(const RunSignalMask&) = delete;

  bool interrupted() const { return interrupted_; }

 private:
  bool interrupted_ = false;
  std::optional<sigset_t> before_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_
