#ifndef LETHE_EMULATED_HOST_KVM_CONFIGURATION_TABLE_H_
#define LETHE_EMULATED_HOST_KVM_CONFIGURATION_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "emulated-host/storage/page_state.h"
#include "emulated-host/ultravisor/secure_configuration.h"

namespace lethe::emulated {

// The secure configurations of one virtual machine: the active one, and the zombies.
//
// Changed under the machine's lock (but for a zombie in teardown, which belongs to the thread that
// tears it down). Read by anybody without a lock, also by a process that goes on in this memory
// after all threads were killed wherever they were: each change is one atomic store, in an order
// such that a configuration is in the table at any time from its first secure page to its last.
class ConfigurationTable {
 public:
  enum class Stage : std::uint8_t {
    kNone,        // no zombie, to be used again
    kSetAside,    // waits for somebody to clean it
    kInTeardown,  // somebody does
    kLeftOver,    // somebody did, and was interrupted
  };

  struct Zombie {
    std::atomic<Stage> stage{Stage::kNone};
    // What is left of it in the Ultravisor; kNoConfiguration: pages only, it was destroyed fast.
    std::atomic<ConfigurationId> number{kNoConfiguration};
    // The same; not for readers without lock.
    std::shared_ptr<SecureConfiguration> configuration;
    Zombie* next = nullptr;

    // No zombie any more.
    void Forget();
  };

  ConfigurationTable() = default;
  ~ConfigurationTable();
  ConfigurationTable(const ConfigurationTable&) = delete;
  ConfigurationTable& operator=(const ConfigurationTable&) = delete;

  // kNoConfiguration: the machine is not protected.
  ConfigurationId active() const { return active_.load(std::memory_order_acquire); }
  void SetActive(ConfigurationId id) { active_.store(id, std::memory_order_release); }

  // A new zombie, set aside. `configuration` may be null.
  void SetAside(std::shared_ptr<SecureConfiguration> configuration);
  // The same by number (kNoConfiguration: destroyed fast), without allocating: once, for who comes
  // after the threads.
  void SetAsideLast(ConfigurationId id);
  // The first zombie in this stage, or null.
  Zombie* Find(Stage stage) const;
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (Zombie* zombie = first_.load(std::memory_order_acquire); zombie != nullptr;
         zombie = zombie->next) {
      if (zombie->stage.load(std::memory_order_acquire) != Stage::kNone) visit(*zombie);
    }
  }
  // Neither an active configuration nor a zombie.
  bool empty() const;

 private:
  void Append(Zombie* zombie);

  std::atomic<ConfigurationId> active_{kNoConfiguration};
  std::atomic<Zombie*> first_{nullptr};  // entries stay until the table ends
  Zombie last_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_CONFIGURATION_TABLE_H_
