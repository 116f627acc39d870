package io.twostep.backend.debug;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Machine;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Everything that is followed now, over all devices of one checker; bounded. Thread-safe. */
final class Ledger {
  private static final Logger LOG = LoggerFactory.getLogger(DebugBackend.class);

  /** Of machines that are still there; nothing in it leads back to its machine once all is torn down, or none would ever go. */
  private final WeakHashMap<Machine, Uses> uses = new WeakHashMap<>();

  private final WeakHashMap<AddressSpace, SpaceLedger> spaces = new WeakHashMap<>();
  private final Map<Long, Debt> debts = new HashMap<>();
  private final Map<Long, Tracked> live = new ConcurrentHashMap<>();
  private final AtomicInteger entries = new AtomicInteger();
  private final AtomicLong ids = new AtomicLong();
  private final AtomicLong followed = new AtomicLong();
  private final AtomicBoolean exhausted = new AtomicBoolean();
  private final int limit;

  Ledger(int limit) {
    this.limit = limit;
  }

  synchronized SpaceLedger space(AddressSpace space) {
    return spaces.computeIfAbsent(space, key -> new SpaceLedger());
  }

  /** Return what is mapped of one machine's memory; the same address of another machine is other memory. */
  synchronized Uses uses(Machine machine) {
    return uses.computeIfAbsent(machine, key -> new Uses());
  }

  long nextId() {
    return ids.incrementAndGet();
  }

  /** Tell whether there is room for another mapping or link; the first time there is none, checking ends for good. */
  boolean admits(int more) {
    if (exhausted.get()) {
      return false;
    }
    if (entries.get() <= limit - more) {
      return true;
    }
    if (exhausted.compareAndSet(false, true)) {
      LOG.error(
          "checking has ended: {} mappings and links are followed and there is no room for more; what is mapped from now on is not checked;"
              + " raise 'entries', or look for a leak",
          entries.get());
    }
    return false;
  }

  boolean isExhausted() {
    return exhausted.get();
  }

  void follow(Tracked tracked) {
    live.put(tracked.id, tracked);
    entries.incrementAndGet();
    followed.incrementAndGet();
  }

  void forget(Tracked tracked) {
    if (live.remove(tracked.id) != null) {
      entries.decrementAndGet();
    }
  }

  void count(int links) {
    entries.addAndGet(links);
  }

  /** Return the mappings that live. */
  List<Tracked> live() {
    return new ArrayList<>(live.values());
  }

  int liveCount() {
    return live.size();
  }

  int entries() {
    return entries.get();
  }

  long followed() {
    return followed.get();
  }

  synchronized void owe(Debt debt) {
    debts.put(debt.id, debt);
  }

  synchronized @Nullable Debt debt(long id) {
    return debts.get(id);
  }

  synchronized void settle(long id) {
    debts.remove(id);
  }

  synchronized List<Debt> debts() {
    return new ArrayList<>(debts.values());
  }
}
