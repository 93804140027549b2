#ifndef LETHE_EMULATED_HOST_KVM_DISPOSITION_H_
#define LETHE_EMULATED_HOST_KVM_DISPOSITION_H_

namespace lethe::emulated {

// What becomes of KVM_RUN after the kernel has looked at an intercept.
struct Disposition {
  enum class Kind {
    kResume,   // handled: the guest goes on
    kForward,  // the user handles it: exit with the intercept's code and text
    kExit,     // the user handles it: the exit is already described in the run page
    kFail,     // KVM_RUN fails with `error`
  };
  Kind kind = Kind::kResume;
  int error = 0;  // negated errno value

  static constexpr Disposition Resume() { return {}; }
  static constexpr Disposition Forward() { return {Kind::kForward, 0}; }
  static constexpr Disposition Exit() { return {Kind::kExit, 0}; }
  static constexpr Disposition Fail(int error) { return {Kind::kFail, error}; }
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_DISPOSITION_H_
