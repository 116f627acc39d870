package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** The life of a controller: found, opened, quiesced, resumed, reset, closed; and refused in the middle of it. */
class NvmeControllerTest {
  @Test
  void pluginIsFoundByNameAndByClassCodeAndOpensWithSettings() {
    NvmeDriverPlugin plugin =
        ServiceLoader.load(DmaPlugin.class).stream()
            .map(ServiceLoader.Provider::get)
            .filter(NvmeDriverPlugin.class::isInstance)
            .map(NvmeDriverPlugin.class::cast)
            .findFirst()
            .orElseThrow();
    assertThat(plugin.name()).isEqualTo("nvme");
    try (Rig rig =
        new Rig(NvmeModelConfig.DEFAULT, Rig.Stack.DIRECT, Map.of("io-queues", "3", "queue-depth", "9", "completion", "interrupt"))) {
      assertThat(plugin.matches(rig.slot)).isTrue();
      try (NvmeController controller = plugin.bind(rig.context())) {
        assertThat(controller.queues()).hasSize(3).allSatisfy(queue -> assertThat(queue.capacity()).isEqualTo(8));
        assertThat(controller.model()).isEqualTo("Twostep NVMe model");
      }
    }
  }

  @Test
  void unknownMappingStrategyIsNamedWithThoseThereAre() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT, Rig.Stack.DIRECT, Map.of("mapping", "by-hand"))) {
      assertThatThrownBy(() -> NvmeController.open(rig.context()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("by-hand")
          .hasMessageContaining("two-step");
    }
  }

  @Test
  void controllerThatIsNotTakenOverStaysOffTheBus() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      rig.registers.readAllOnes(true);
      assertThatThrownBy(rig::open).isInstanceOf(NvmeException.class).hasMessageContaining("does not answer");
      assertThat(rig.registers.isMaster()).isFalse();
      rig.registers.readAllOnes(false);
      rig.open().close();
    }
  }

  @Test
  void shadowDoorbellsAreLeftToTheControllerThatHasThemOnlyIfAskedFor() {
    List<Long> mappings = new ArrayList<>();
    for (boolean asked : new boolean[] {true, false}) {
      try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
          NvmeController controller = rig.open(NvmeConfig.DEFAULT.withShadowDoorbells(asked))) {
        mappings.add(rig.mappers.stream().mapToLong(DmaMapper::liveMappings).sum());
        MemoryBlock memory = rig.random(4096, Seeds.random());
        MemoryBlock back = rig.memory(4096);
        controller.namespace(1).write(0, memory);
        controller.namespace(1).read(0, back);
        assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
      }
    }
    assertThat(mappings.get(0) - mappings.get(1)).as("the shadows and the event indexes").isEqualTo(2);
  }

  @Test
  void cacheIsReportedAsTheControllerHasIt() {
    for (boolean cache : new boolean[] {true, false}) {
      try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.writeCache(cache)));
          NvmeController controller = rig.open()) {
        assertThat(controller.hasWriteCache()).isEqualTo(cache);
      }
    }
  }

  @Test
  void controllerIsOpenedAgainAfterItWasClosed() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      MemoryBlock memory = rig.random(4096, Seeds.random());
      try (NvmeController controller = rig.open()) {
        controller.namespace(1).write(0, memory);
      }
      try (NvmeController controller = rig.open()) {
        MemoryBlock back = rig.memory(4096);
        controller.namespace(1).read(0, back);
        assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
      }
    }
  }

  @Test
  void eachNamespaceHasItsOwnBlocks() {
    List<NamespaceConfig> two = List.of(NamespaceConfig.ofMemory(64, 512), NamespaceConfig.ofMemory(32, 4096));
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(two)));
        NvmeController controller = rig.open()) {
      assertThat(controller.namespaces()).extracting(NvmeNamespace::id).containsExactly(1, 2);
      assertThat(controller.namespaces()).extracting(NvmeNamespace::size).containsExactly(32768L, 131072L);
      assertThatThrownBy(() -> controller.namespace(3)).hasMessageContaining("found: [1, 2]");
      assertThat(controller.rescan()).hasSize(2);
    }
  }

  @Test
  void quiescedDriverFinishesWhatItHasAndTakesNothingNew() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withQueueDepth(4))) {
      NvmeNamespace namespace = controller.namespace(1);
      NvmeQueue queue = controller.queues().getFirst();
      MemoryBlock memory = rig.memory(4 << 20);
      NvmeBio large = new NvmeBio().write(namespace, 0, 8192, memory.ranges());
      assertThat(queue.trySubmit(large)).isTrue();
      controller.quiesce();
      assertThat(large.isDone()).isTrue();
      assertThat(queue.outstanding()).isZero();
      rig.release(memory);
      NvmeBio next = new NvmeBio().flush(namespace);
      assertThat(queue.trySubmit(next)).isFalse();
      assertThat(next.isBusy()).isFalse();
      controller.resume();
      namespace.run(next);
    }
  }

  @Test
  void quiesceEndsThoughACommandHangs() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      rig.model.faults().onCommand(FaultPlan.ANY_IO_QUEUE, 1, FaultPlan.Kind.DROP_COMPLETION);
      NvmeBio bio = new NvmeBio().flush(controller.namespace(1));
      controller.queues().getFirst().trySubmit(bio);
      controller.quiesce();
      assertThat(bio.isDone()).isTrue();
      assertThat(bio.failure()).isNull();
    }
  }

  @Test
  void callbacksMaySubmitAgain() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withCompletion(NvmeConfig.Completion.INTERRUPT))) {
      NvmeNamespace namespace = controller.namespace(1);
      NvmeQueue queue = controller.queues().getFirst();
      MemoryBlock memory = rig.memory(4096);
      int[] left = {50};
      NvmeBio bio = new NvmeBio();
      bio.onDone(
          done -> {
            if (--left[0] > 0) {
              assertThat(queue.trySubmit(done.read(namespace, left[0], 8, memory.ranges()))).isTrue();
            }
          });
      queue.trySubmit(bio.read(namespace, 0, 8, memory.ranges()));
      while (left[0] > 0) {
        rig.machine.timers().pause();
      }
      assertThat(bio.failure()).isNull();
    }
  }

  @Test
  void manyThreadsShareOneController() throws InterruptedException {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(2).withQueueDepth(8))) {
      NvmeNamespace namespace = controller.namespace(1);
      List<Thread> threads = new ArrayList<>();
      List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
      for (int t = 0; t < 4; t++) {
        int own = t;
        MemoryBlock out = rig.random(32 << 10, Seeds.random());
        MemoryBlock in = rig.memory(32 << 10);
        threads.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      try {
                        for (int round = 0; round < 40; round++) {
                          long lba = own * 1000L + round;
                          namespace.write(lba, out);
                          namespace.read(lba, in);
                          if (in.segment().mismatch(out.segment()) != -1) {
                            throw new AssertionError("thread " + own + " read something else in round " + round);
                          }
                        }
                      } catch (Throwable e) {
                        failures.add(e);
                      }
                    }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failures).isEmpty();
    }
  }

  @Test
  void anAdminCommandThatFailsEndsTheBringUpOrCostsNoNamespace() {
    NvmeModelConfig three = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(64, 512), NamespaceConfig.ofMemory(64, 512), NamespaceConfig.ofMemory(64, 512)));
    List<String> refused = new ArrayList<>();
    try (Rig rig = new Rig(three)) {
      boolean untouched = false;
      for (int nth = 1; !untouched; nth++) {
        rig.model.faults().onCommand(0, nth, FaultPlan.Kind.FAIL, StatusCode.DATA_TRANSFER_ERROR);
        try (NvmeController controller = rig.open()) {
          assertThat(controller.namespaces()).as("command %d", nth).hasSize(3);
          untouched = rig.model.faults().waiting() != 0;
        } catch (NvmeException e) {
          assertThat(e.kind()).isEqualTo(NvmeErrorKind.TRANSFER);
          refused.add(e.getMessage());
        }
        rig.model.faults().clear();
        assertThat(rig.mappers).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
      }
    }
    for (String command : List.of("identify controller", "list namespaces", "identify namespace 1", "identify namespace 2", "identify NVM namespace 3")) {
      assertThat(refused).as(command).anySatisfy(message -> assertThat(message).contains(command + " failed with status 0x4"));
    }
  }

  @Test
  void whatCannotBeProvedUnreachableDoesNotKeepTheRestFromBeingClosed() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT, Rig.Stack.IOMMU, Map.of())) {
      FailNth failures = ((ModelMachine) rig.machine).failNth();
      boolean untouched = false;
      int thrown = 0;
      for (int nth = 1; !untouched; nth++) {
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(2));
        failures.arm(FailNth.Kind.INVALIDATE, nth);
        try {
          controller.close();
          untouched = !failures.fired();
        } catch (DmaMappingException e) {
          assertThat(e.reason()).isEqualTo(DmaMappingException.Reason.QUARANTINED);
          thrown++;
        }
        failures.disarm();
        assertThat(controller.mapper().liveMappings()).as("invalidation %d", nth).isZero();
        rig.slot.reset();
        controller.mapper().releaseQuarantined();
        assertThat(nth).isLessThan(50);
      }
      assertThat(thrown).as("two queues, their shadow doorbells, the admin queue and its data").isGreaterThanOrEqualTo(9);
    }
  }

  @Test
  void failureOfAnyAllocationWhileOpeningLeavesNothing() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      FailNth failures = ((ModelMachine) rig.machine).failNth();
      boolean opened = false;
      for (int nth = 1; !opened; nth++) {
        failures.arm(FailNth.Kind.ALLOCATE, nth);
        try (NvmeController controller = rig.open()) {
          opened = controller.state() == NvmeState.LIVE;
        } catch (RuntimeException e) {
          assertThat(e).hasMessageContaining("FailNth");
        } finally {
          failures.disarm();
        }
        assertThat(rig.mappers).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
        assertThat(nth).isLessThan(50);
      }
    }
  }

  @Test
  void mappingStrategyThatFailsLeavesNothing() {
    int[] open = new int[1];
    RequestMapper failing =
        new RequestMapper() {
          @Override
          public String name() {
            return "failing";
          }

          @Override
          public RequestMapping newMapping(DmaMapper mapper, long maxBytes) {
            if (open[0] == 5) {
              throw new IllegalStateException("on purpose");
            }
            open[0]++;
            return new RequestMapping() {
              @Override
              public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
                return -1;
              }

              @Override
              public void unmap(InvalidationBatch batch) {}

              @Override
              public void close() {
                open[0]--;
              }
            };
          }

          @Override
          public boolean merges() {
            return false;
          }
        };
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      assertThatThrownBy(() -> rig.open(NvmeConfig.DEFAULT.withRequestMapper(failing))).hasMessage("on purpose");
      assertThat(rig.mappers).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
      assertThat(open[0]).as("mappings that were made and not closed").isZero();
    }
  }
}
