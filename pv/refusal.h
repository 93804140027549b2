#ifndef LETHE_PV_REFUSAL_H_
#define LETHE_PV_REFUSAL_H_

#include <string>

#include "accel/kvm-s390/pv_command.h"

namespace lethe {

// Why the Ultravisor did not take an image, as a sentence for the one who started it: what the
// return codes mean where that is published (s390-tools, messages of stage3a), and the codes.
std::string ExplainRefusal(const kvm::PvResult& result);

}  // namespace lethe

#endif  // LETHE_PV_REFUSAL_H_
