#include "pv/kernel_file.h"

#include <fstream>
#include <sstream>

namespace lethe {

std::string ReadKernelFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace lethe
