package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every registration of every kind, made to fail at every allocation and at every publish of translations: nothing stays behind. */
class AbortedRegistrationsTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final int PAGE = 4096;
  private static final int PAGES = 40;
  private static final long START = 0x7f_1234_5000L;

  /** A host with a process of pages some of which are in memory, and an exported buffer. */
  private static final class Work implements AutoCloseable {
    final Host host;
    final Hca hca;
    final FramePool frames;
    final ProcessMemory process;
    final long va;
    final MemoryBlock block;
    final ExportedBuffer exported;
    final PinBudget budget = new PinBudget(1 << 20);

    Work(Host host) {
      this.host = host;
      hca = host.hca();
      frames = new FramePool(host.machine.memory(), MemoryPlacement.SCATTERED, 32L << 20);
      process = new ProcessMemory("p", frames);
      va = process.map(PAGES * PAGE, true);
      process.write(va, MemorySegment.ofArray(new byte[10 * PAGE]), 0, 10 * PAGE);
      block = host.memory(4 * PAGE);
      exported = ExportedBuffer.of(host.machine, "frame", block.ranges());
    }

    OnDemandSource source() {
      return new OnDemandSource(host.mapper(), process, host.machine.timers());
    }

    @Override
    public void close() {
      exported.close();
      process.close();
      frames.close();
    }
  }

  private enum Registration {
    BLOCK {
      @Override
      MemoryKey make(Work work) {
        return work.hca.register(work.host.domain(), START, work.block.ranges(), ALL);
      }
    },
    PINNED {
      @Override
      MemoryKey make(Work work) {
        return work.hca.register(work.host.domain(), work.process, work.va + 5, 20 * PAGE, ALL, work.budget);
      }
    },
    ON_DEMAND {
      @Override
      MemoryKey make(Work work) {
        OnDemandMemory memory = work.hca.registerOnDemand(work.host.domain(), work.source(), work.va, PAGES * PAGE, ALL);
        return faulted(memory, () -> memory.umem().fault(work.va, PAGES * PAGE, FaultMode.WRITE));
      }
    },
    IMPLICIT {
      @Override
      MemoryKey make(Work work) {
        ImplicitMemory memory = work.hca.registerAll(work.host.domain(), work.source(), ALL);
        return faulted(memory, () -> memory.umem().fault(work.va, PAGES * PAGE, FaultMode.WRITE));
      }
    },
    EXPORTED {
      @Override
      MemoryKey make(Work work) {
        return work.hca.registerExported(work.host.domain(), START, work.exported, ALL);
      }
    },
    FAST {
      @Override
      MemoryKey make(Work work) {
        return work.hca.newFastKey(work.host.domain(), 16);
      }
    };

    abstract MemoryKey make(Work work);

    static MemoryKey faulted(MemoryKey key, Runnable fault) {
      try {
        fault.run();
        return key;
      } catch (RuntimeException e) {
        key.close();
        throw e;
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Registration.class)
  void registrationThatFailsAnywhereLeavesNothing(Registration registration) {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Work work = new Work(hosts.near)) {
      ModelMachine machine = (ModelMachine) hosts.near.machine;
      registration.make(work).close();
      long mappings = hosts.near.mapper().liveMappings();
      long frames = machine.stats().framesInUse();
      int failures = 0;
      for (FailNth.Kind kind : new FailNth.Kind[] {FailNth.Kind.ALLOCATE, FailNth.Kind.PUBLISH}) {
        boolean fired = true;
        for (int n = 1; fired; n++) {
          machine.failNth().arm(kind, n);
          try {
            registration.make(work).close();
          } catch (DmaMappingException e) {
            failures++;
          }
          fired = machine.failNth().fired();
          machine.failNth().disarm();
          String what = registration + ", " + kind + " " + n;
          assertThat(hosts.near.mapper().liveMappings()).as(what).isEqualTo(mappings);
          assertThat(machine.stats().framesInUse()).as(what).isEqualTo(frames);
          assertThat(work.process.statistics().subscriptions()).as(what).isZero();
          assertThat(work.budget.used()).as(what).isZero();
          assertThat(work.exported.attachments()).as(what).isZero();
        }
      }
      assertThat(failures).as("something was made to fail").isPositive();
      registration.make(work).close();
    }
  }
}
