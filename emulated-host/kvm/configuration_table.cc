#include "emulated-host/kvm/configuration_table.h"

#include <utility>

namespace lethe::emulated {

ConfigurationTable::~ConfigurationTable() {
  Zombie* zombie = first_;
  while (zombie != nullptr) {
    Zombie* const next = zombie->next;
    if (zombie != &last_) delete zombie;
    zombie = next;
  }
}

void ConfigurationTable::Zombie::Forget() {
  configuration.reset();
  stage.store(Stage::kNone, std::memory_order_release);
}

void ConfigurationTable::SetAside(std::shared_ptr<SecureConfiguration> configuration) {
  Zombie* zombie = Find(Stage::kNone);
  if (zombie == nullptr) Append(zombie = new Zombie);
  zombie->number = configuration ? configuration->id() : kNoConfiguration;
  zombie->configuration = std::move(configuration);
  zombie->stage.store(Stage::kSetAside, std::memory_order_release);
}

void ConfigurationTable::SetAsideLast(ConfigurationId id) {
  last_.number = id;
  last_.stage = Stage::kSetAside;
  Append(&last_);
}

void ConfigurationTable::Append(Zombie* zombie) {
  zombie->next = first_.load(std::memory_order_relaxed);
  first_.store(zombie, std::memory_order_release);
}

ConfigurationTable::Zombie* ConfigurationTable::Find(Stage stage) const {
  Zombie* zombie = first_.load(std::memory_order_acquire);
  while (zombie != nullptr && zombie->stage.load(std::memory_order_acquire) != stage) {
    zombie = zombie->next;
  }
  return zombie;
}

bool ConfigurationTable::empty() const {
  bool none = active() == kNoConfiguration;
  ForEach([&none](const Zombie&) { none = false; });
  return none;
}

}  // namespace lethe::emulated
