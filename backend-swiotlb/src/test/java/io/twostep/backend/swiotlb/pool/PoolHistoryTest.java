package io.twostep.backend.swiotlb.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.swiotlb.Seeds;
import io.twostep.backend.swiotlb.pool.PlacementOracle.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class PoolHistoryTest {
  private static final int OPERATIONS = 1_200_000;
  private static final long AREA = 512 << 10;
  private static final int AREAS = 3;
  private static final long BASE = 0x4000_0000L;

  private record Held(Request request, SlotRules rules, long at) {}

  @Test
  void everyBufferKeepsItsRulesAndIsRefusedOnlyWhereNoPlaceIs() {
    long seed = Seeds.next();
    RandomGenerator random = Seeds.random(seed);
    FakeBlocks blocks = new FakeBlocks(BASE, AREAS);
    SlotPool pool = new SlotPool(blocks, AREA, 1, AREAS);
    PlacementOracle oracle = new PlacementOracle(AREA, AREAS);
    List<Held> held = new ArrayList<>();
    long refusals = 0;
    for (int i = 0; i < OPERATIONS; i++) {
      String where = "seed " + seed + ", operation " + i;
      // Pressure comes and goes, so that the pool is empty, full and fragmented in turn.
      boolean allocate = held.isEmpty() || random.nextInt(100) < (i / 20_000 % 2 == 0 ? 56 : 44);
      if (allocate) {
        Request request = randomRequest(random);
        SlotRules rules = request.rules();
        long at = pool.allocate(rules, request.length(), request.low());
        if (at >= 0) {
          requireFits(where, oracle, request, at);
          held.add(new Held(request, rules, at));
        } else {
          refusals++;
          requireNoPlace(where, oracle, request, at);
        }
      } else {
        release(pool, oracle, held.remove(random.nextInt(held.size())));
      }
      if (i % 10_000 == 0) {
        assertThat(pool.statistics().used()).as(where).isEqualTo(oracle.used());
      }
    }
    assertThat(refusals).as("seed %d: the history must reach a full pool", seed).isPositive();
    held.forEach(one -> release(pool, oracle, one));
    assertThat(pool.statistics().used()).isZero();
    assertThat(pool.statistics().areas()).isEqualTo(AREAS);
    pool.close();
    assertThat(blocks.open).isZero();
  }

  private static void requireFits(String where, PlacementOracle oracle, Request request, long at) {
    int area = (int) (at >>> 40);
    long buffer = SlotPool.offset(at);
    long start = buffer / request.unit() * request.unit();
    if (request.buffer(start) != buffer || !oracle.fits(request, area, start)) {
      assertThat(at).as("%s: %s does not fit at 0x%x", where, request, at).isNegative();
    }
    oracle.set(request, area, start, true);
  }

  private static void requireNoPlace(String where, PlacementOracle oracle, Request request, long refusal) {
    PlacementOracle empty = new PlacementOracle(AREA, 1);
    boolean fitsEmpty = empty.hasPlace(request);
    assertThat(refusal).as("%s: %s", where, request).isEqualTo(fitsEmpty ? SlotPool.EXHAUSTED : SlotPool.TOO_LARGE);
    assertThat(oracle.hasPlace(request)).as("%s: %s has a place", where, request).isFalse();
  }

  private static void release(SlotPool pool, PlacementOracle oracle, Held held) {
    long start = SlotPool.offset(held.at()) / held.request().unit() * held.request().unit();
    oracle.set(held.request(), (int) (held.at() >>> 40), start, false);
    assertThat(pool.free(held.rules(), held.at())).isEqualTo(held.request().end(start) - start);
  }

  private static Request randomRequest(RandomGenerator random) {
    long align = 1L << random.nextInt(0, random.nextInt(8) == 0 ? 19 : 14);
    long kept = 1L << random.nextInt(0, random.nextInt(8) == 0 ? 19 : 14);
    long boundary = random.nextInt(3) == 0 ? 1L << random.nextInt(9, 20) : Long.MIN_VALUE;
    int order = random.nextInt(30) == 0 ? 20 : random.nextInt(5) == 0 ? 17 : 14;
    long length = 1 + random.nextLong(1L << random.nextInt(4, order));
    return new Request(align, kept, boundary, length, random.nextLong() & Long.MAX_VALUE);
  }
}
