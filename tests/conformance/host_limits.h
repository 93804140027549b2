#ifndef LETHE_TESTS_CONFORMANCE_HOST_LIMITS_H_
#define LETHE_TESTS_CONFORMANCE_HOST_LIMITS_H_

namespace lethe::conformance {

// What the system beneath the program must do for a statement to be tried. Linux does; its
// user-mode emulation does not.

// A copy of an event descriptor (F_DUPFD_CLOEXEC) counts as the original does: the emulator swaps
// the bytes of one of them only.
bool CopiedEventsCountAlike();

// A page can be had that a child finds empty (MADV_WIPEONFORK): the emulator takes the advice and
// forgets it. The emulated kernel knows by such a page whose address space it is in.
bool ForkWipesWhatItShould();

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_HOST_LIMITS_H_
