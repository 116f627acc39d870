package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The on-demand keys whose pages can be brought in before anybody faults on them. Thread-safe. */
final class Prefetch {
  private final String hca;
  private final Map<Integer, Target> targets = new ConcurrentHashMap<>();

  private record Target(int domain, Faults.Memory memory) {}

  Prefetch(String hca) {
    this.hca = hca;
  }

  void add(int key, ProtectionDomain domain, Faults.Memory memory) {
    targets.put(key, new Target(domain.number(), memory));
  }

  /** Forget a key, if it still names {@code memory}: it may be another's by now. */
  void remove(int key, Faults.Memory memory) {
    targets.computeIfPresent(key, (same, target) -> target.memory == memory ? null : target);
  }

  /** Bring in ranges, one after the other, once all their keys are known to be right. */
  void run(ProtectionDomain domain, FaultMode mode, DataSegments ranges) {
    for (int i = 0; i < ranges.count(); i++) {
      target(domain, ranges.key(i));
    }
    for (int i = 0; i < ranges.count(); i++) {
      target(domain, ranges.key(i)).memory.fault(ranges.address(i), ranges.length(i), mode);
    }
  }

  private Target target(ProtectionDomain domain, int key) {
    Target target = targets.get(key);
    if (target == null) {
      throw new IllegalArgumentException("%s: key 0x%x names no on-demand memory now; prefetch ranges of keys that are open and of processes".formatted(hca, key));
    }
    if (target.domain != domain.number()) {
      throw new IllegalArgumentException("%s: key 0x%x is of domain %d, not of %d; name the key's own".formatted(hca, key, target.domain, domain.number()));
    }
    return target;
  }
}
