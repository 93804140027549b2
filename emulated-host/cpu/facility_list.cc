#include "emulated-host/cpu/facility_list.h"

namespace lethe::emulated {

FacilityList FacilitiesOf(const FacilityList& offered, ConfigurationId configuration) {
  const bool is_protected = configuration != kNoConfiguration;
  FacilityList seen = offered;
  seen.Set(kUltravisorCall, is_protected);
  seen.Set(kUnpack, !is_protected && offered.Has(kUnpack));
  return seen;
}

}  // namespace lethe::emulated
