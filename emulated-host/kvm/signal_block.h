#ifndef LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_
#define LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_

#include <pthread.h>

#include <csignal>

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

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_SIGNAL_BLOCK_H_
