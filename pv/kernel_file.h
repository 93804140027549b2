#ifndef LETHE_PV_KERNEL_FILE_H_
#define LETHE_PV_KERNEL_FILE_H_

#include <string>

namespace lethe {

// The text of a file of procfs, sysfs or a control group. They have no size, and one that is
// missing or cannot be read is as good as an empty one.
std::string ReadKernelFile(const std::string& path);

}  // namespace lethe

#endif  // LETHE_PV_KERNEL_FILE_H_
