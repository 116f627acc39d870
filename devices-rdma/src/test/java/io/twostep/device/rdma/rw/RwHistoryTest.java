package io.twostep.device.rdma.rw;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.HcaException;
import io.twostep.device.rdma.Seeds;
import io.twostep.device.rdma.rw.RwRig.Stack;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Several transfers at once, of random shapes and both kinds, over a bad wire, against plain arrays. */
class RwHistoryTest {
  private static final int LANES = 5;
  private static final int ROUNDS = 120;
  private static final int LANE_BYTES = RwRig.FAR_BYTES / LANES;
  private static final int PAGES = 24;
  private static final int PEER_BYTES = 16 << 10;

  /** One transfer after the other, with memory of its own at both ends. */
  private static final class Lane {
    final RwRig rig;
    final SplittableRandom random;
    final RwContext context;
    final MemoryBlock block;
    final int index;
    Pieces local = new Pieces();
    RwOperation operation = RwOperation.READ;
    byte[] expected = {};
    long farOffset;
    boolean prepared;
    boolean posted;

    Lane(RwRig rig, RwQueue queue, int index) {
      this.rig = rig;
      this.index = index;
      random = rig.random;
      context = queue.newContext();
      block = rig.memory(PAGES * 4096);
    }

    /** Draw memory: whole pages, pages with loose ends, or anything; some of it the peer's. */
    void draw() {
      local = new Pieces();
      int shape = random.nextInt(3);
      int pieces = 1 + random.nextInt(10);
      long peerAt = (long) index * PEER_BYTES;
      for (int i = 0; i < pieces; i++) {
        boolean first = i == 0;
        boolean last = i == pieces - 1;
        int from = shape == 0 || (shape == 1 && !first) ? 0 : random.nextInt(4096);
        int to = shape == 0 || (shape == 1 && !last) ? 4096 : from + 1 + random.nextInt(4096 - from);
        if (random.nextInt(6) == 0 && i < PEER_BYTES / 4096) {
          local.add(rig.peer, peerAt + 4096L * i + from, to - from);
        } else {
          local.add(block, 2 * 4096L * i + from, to - from);
        }
      }
      local.fill(random);
    }

    boolean prepare() {
      draw();
      operation = random.nextBoolean() ? RwOperation.READ : RwOperation.WRITE;
      farOffset = (long) index * LANE_BYTES + random.nextInt(LANE_BYTES - local.length());
      expected = operation == RwOperation.WRITE ? local.bytes() : rig.far(farOffset, local.length());
      long address = RwRig.FAR + farOffset;
      try {
        if (random.nextBoolean()) {
          context.prepareList(operation, local.ranges(), rig.farKey.key(), address);
        } else {
          context.prepareVector(operation, local.ranges(), rig.farKey.key(), address);
        }
        prepared = true;
      } catch (HcaException e) {
        assertThat(e).hasMessageContaining("keys are needed");
      }
      return prepared;
    }

    void verify(RwType type) {
      assertThat(rig.far(farOffset, expected.length)).as("far, lane %d, %s, %s", index, type, RwRig.SEED).isEqualTo(expected);
      assertThat(local.bytes()).as("near, lane %d, %s, %s", index, type, RwRig.SEED).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @EnumSource(Stack.class)
  void randomTransfersMoveTheirBytesAndNoOthers(Stack stack) {
    SplittableRandom random = new SplittableRandom(Seeds.SEED + stack.name().length());
    Set<RwType> seen = EnumSet.noneOf(RwType.class);
    for (boolean force : new boolean[] {false, true}) {
      RwLimits limits = new RwLimits(1 + random.nextInt(8), 1 + random.nextInt(8), 1 + random.nextInt(4), 1 + random.nextInt(6), 1 << 30, false, force);
      try (RwRig rig = new RwRig(stack, 8, RwRig.BAD);
          RwQueue queue = new RwQueue(rig.pair, limits, 12)) {
        List<Lane> lanes = new ArrayList<>();
        for (int i = 0; i < LANES; i++) {
          lanes.add(new Lane(rig, queue, i));
        }
        List<Long> held = rig.held();
        for (int round = 0; round < ROUNDS; round++) {
          advance(rig, lanes.get(random.nextInt(LANES)), random, seen);
        }
        for (Lane lane : lanes) {
          while (lane.prepared) {
            advance(rig, lane, random, seen);
          }
        }
        assertThat(rig.ended).as(RwRig.SEED).isEmpty();
        assertThat(rig.held()).as(RwRig.SEED).isEqualTo(held);
        assertThat(queue.freeKeys()).isEqualTo(12);
        lanes.forEach(lane -> lane.context.close());
      }
    }
    assertThat(seen).contains(RwType.MR, RwType.MULTI_WR);
  }

  private static void advance(RwRig rig, Lane lane, SplittableRandom random, Set<RwType> seen) {
    if (lane.posted) {
      CompletionStatus status = rig.await(lane.index);
      assertThat(status).as(RwRig.SEED).isEqualTo(CompletionStatus.SUCCESS);
      lane.context.ended(status);
      RwType type = lane.context.type();
      seen.add(type);
      lane.context.destroy();
      lane.verify(type);
      lane.posted = false;
      lane.prepared = false;
    } else if (!lane.prepared) {
      lane.prepare();
    } else if (random.nextInt(8) == 0) {
      lane.context.destroy();
      lane.prepared = false;
    } else {
      lane.posted = lane.context.post(lane.index, -1);
      if (!lane.posted) {
        rig.step();
      }
    }
  }
}
