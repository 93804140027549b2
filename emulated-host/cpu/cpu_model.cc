#include "emulated-host/cpu/cpu_model.h"

namespace lethe::emulated {

CpuModel CpuModel::WithFacilities(std::initializer_list<Facility> facilities) {
  CpuModel model;
  model.cpu_id = 0x0000'0001'2817'8000;  // version 00, serial 000001, machine type 2817
  for (const Facility facility : facilities) model.facilities.set(facility);
  return model;
}

CpuModel CpuModel::Default() {
  return WithFacilities({0,  1,  2,  3,  7,  9,  16, 18, 21, 22, 25, 27,
                         30, 31, 32, 33, 34, 35, 37, 40, 41, 45, 52});
}

}  // namespace lethe::emulated
