package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.MemoryBlock;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Small queues against an ideal one: every request is done exactly once, none before it was sent, none is lost, and full means full. */
class QueueOrderTest {
  private static final int STEPS = 3_000;

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 6, 7, 8})
  void queueOfDepthBehavesLikeAnIdealOne(int depth) {
    RandomGenerator random = Seeds.random();
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.shadowDoorbells(depth % 2 == 0)))) {
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withQueueDepth(depth))) {
        NvmeNamespace namespace = controller.namespace(1);
        NvmeQueue queue = controller.queues().getFirst();
        MemoryBlock memory = rig.memory(4096L * depth);
        ArrayDeque<NvmeBio> idle = new ArrayDeque<>();
        int[] done = new int[1];
        // A request's memory is its own: two reads into one buffer at once would race.
        Map<NvmeBio, BioVector> vectors = new IdentityHashMap<>();
        for (int i = 0; i < depth; i++) {
          NvmeBio bio = new NvmeBio();
          vectors.put(bio, new BioVector().add(memory, 4096L * i, 4096));
          idle.add(bio);
        }
        int outstanding = 0;
        int sent = 0;
        for (int step = 0; step < STEPS; step++) {
          switch (random.nextInt(4)) {
            case 0, 1 -> {
              NvmeBio bio = idle.poll();
              if (bio != null) {
                bio.onDone(
                    b -> {
                      done[0]++;
                      idle.add(b);
                    });
                bio.read(namespace, random.nextInt(100), 8, vectors.get(bio));
                boolean accepted = queue.trySubmit(bio, random.nextBoolean());
                assertThat(accepted).as(Seeds.at(step)).isEqualTo(outstanding < depth - 1);
                if (accepted) {
                  outstanding++;
                  sent++;
                } else {
                  idle.add(bio);
                }
              }
            }
            case 2 -> rig.machine.timers().pause();
            default -> {
              int before = done[0];
              int found = queue.poll();
              assertThat(done[0] - before).as(Seeds.at(step)).isEqualTo(found);
              outstanding -= found;
            }
          }
          assertThat(queue.outstanding()).as(Seeds.at(step)).isEqualTo(outstanding);
        }
        while (outstanding > 0) {
          outstanding -= queue.poll();
          rig.machine.timers().pause();
        }
        assertThat(done[0]).isEqualTo(sent);
        assertThat(controller.statistics().droppedCompletions()).isZero();
      }
      assertThat(rig.model.violations()).isEmpty();
    }
  }
}
