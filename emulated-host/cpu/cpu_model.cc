#include "emulated-host/cpu/cpu_model.h"

namespace lethe::emulated {

CpuModel CpuModel::Default() {
  CpuModel model;
  model.facilities = {0,  1,  2,  3,  7,  9,  16, 18, 21, 22, 24, 25,  26,     27,
                      30, 31, 32, 33, 34, 35, 37, 40, 41, 45, 52, 138, kUnpack};
  // Version ff (a virtual CPU, as KVM says), identification 000001, machine type 2817, format 1.
  model.cpu_id = 0xff00'0001'2817'8000;
  return model;
}

}  // namespace lethe::emulated
