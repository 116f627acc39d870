package io.twostep.device.rdma.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.Seeds;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.RcOpcode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random requests over a bad wire, beside a plain copy of memory in which they are done at once and in order. */
class RandomHistoryTest {
  private static final int REQUESTS = 400;
  private static final int MESSAGE = 1500;
  private static final int RECEIVE = 2000;
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  static List<WireFaults> wires() {
    return List.of(
        WireFaults.NONE,
        new WireFaults(0.05, 0, 0, 0, 0),
        new WireFaults(0, 0.1, 0, 0, 0),
        new WireFaults(0, 0, 0.2, 0, 0),
        new WireFaults(0, 0, 0, 0.03, 0.02),
        new WireFaults(0.03, 0.05, 0.05, 0.01, 0.01));
  }

  @ParameterizedTest
  @MethodSource("wires")
  void everyVerbDoesOnceAndInOrderWhatItSays(WireFaults faults) {
    for (int i = 0; i < 12; i++) {
      new History(faults, Seeds.SEED + i).run();
    }
  }

  private static final class History {
    final long seed;
    final SplittableRandom random;
    final Pair pair;
    final MemorySegment oracle = MemorySegment.ofArray(new byte[Pair.MEMORY]);
    final Map<Long, byte[]> expectedResults = new HashMap<>();
    final List<End.Received> expectedReceives = new ArrayList<>();
    boolean readSinceFence;
    long atomics;

    History(WireFaults faults, long seed) {
      this.seed = seed;
      random = new SplittableRandom(seed);
      pair = new Pair(faults, seed);
      byte[] contents = bytes(Pair.MEMORY);
      MemorySegment.copy(MemorySegment.ofArray(contents), 0, pair.far.memory, 0, contents.length);
      MemorySegment.copy(MemorySegment.ofArray(contents), 0, oracle, 0, contents.length);
      SplittableRandom faultDraw = random.split();
      pair.far.remoteFault = () -> faultDraw.nextInt(40) == 0;
      pair.near.localFault = () -> faultDraw.nextInt(40) == 0;
    }

    void run() {
      for (long id = 0; id < REQUESTS; id++) {
        post(id);
        while (random.nextInt(3) == 0) {
          pair.round(1 + random.nextInt(24));
        }
        if (random.nextInt(3) == 0) {
          pair.far.posted.add(new byte[RECEIVE]);
        }
      }
      while (pair.far.posted.size() + pair.far.receives.size() < expectedReceives.size()) {
        pair.far.posted.add(new byte[RECEIVE]);
      }
      pair.run();
      check();
    }

    private void post(long id) {
      Verb verb = Verb.values()[random.nextInt(Verb.values().length)];
      boolean changes = verb != Verb.READ && verb != Verb.LOCAL;
      boolean fence = changes && readSinceFence;
      readSinceFence = !changes && (readSinceFence || verb == Verb.READ);
      int extra = random.nextInt();
      switch (verb) {
        case SEND, SEND_IMMEDIATE, SEND_INVALIDATE -> {
          byte[] data = bytes(length());
          pair.near.post(id, verb, data, 0, extra, 0, 0, fence);
          expectedReceives.add(new End.Received(CompletionStatus.SUCCESS, 0, verb == Verb.SEND ? 0 : extra, data));
        }
        case WRITE, WRITE_IMMEDIATE -> {
          byte[] data = bytes(length());
          long address = random.nextInt(Pair.MEMORY - data.length);
          pair.near.post(id, verb, data, address, extra, 0, 0, fence);
          MemorySegment.copy(MemorySegment.ofArray(data), 0, oracle, address, data.length);
          if (verb == Verb.WRITE_IMMEDIATE) {
            expectedReceives.add(new End.Received(CompletionStatus.SUCCESS, 0, extra, data));
          }
        }
        case READ -> {
          byte[] target = new byte[length()];
          long address = random.nextInt(Pair.MEMORY - target.length);
          pair.near.post(id, verb, target, address);
          expectedResults.put(id, oracle.asSlice(address, target.length).toArray(ValueLayout.JAVA_BYTE));
        }
        case COMPARE_SWAP, FETCH_ADD -> atomic(id, verb, fence);
        case LOCAL -> pair.near.post(id, verb, new byte[0], 0);
      }
    }

    private void atomic(long id, Verb verb, boolean fence) {
      byte[] target = new byte[8];
      long address = random.nextInt(Pair.MEMORY / 8) * 8L;
      long found = oracle.get(WORD, address);
      long compare = random.nextBoolean() ? found : random.nextLong();
      long operand = random.nextLong();
      pair.near.post(id, verb, target, address, 0, operand, compare, fence);
      byte[] expected = new byte[8];
      MemorySegment.ofArray(expected).set(WORD, 0, found);
      expectedResults.put(id, expected);
      if (verb == Verb.FETCH_ADD) {
        oracle.set(WORD, address, found + operand);
      } else if (compare == found) {
        oracle.set(WORD, address, operand);
      }
      atomics++;
    }

    private void check() {
      assertThat(pair.near.completions).as("seed %d", seed).hasSize(REQUESTS);
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(pair.near.completions.get(i).id()).as("seed %d", seed).isEqualTo(i);
        assertThat(pair.near.completions.get(i).status()).as("seed %d, request %d", seed, i).isEqualTo(CompletionStatus.SUCCESS);
      }
      assertThat(pair.far.memory.mismatch(oracle)).as("seed %d: first byte that differs", seed).isEqualTo(-1);
      expectedResults.forEach(
          (id, expected) ->
              assertThat(pair.near.local.get(id).mismatch(MemorySegment.ofArray(expected))).as("seed %d, result of %d", seed, id).isEqualTo(-1));
      assertThat(pair.far.atomicsExecuted).as("seed %d", seed).isEqualTo(atomics);
      assertThat(pair.far.receives).as("seed %d", seed).hasSameSizeAs(expectedReceives);
      for (int i = 0; i < expectedReceives.size(); i++) {
        End.Received received = pair.far.receives.get(i);
        boolean hasData = java.util.Objects.requireNonNull(RcOpcode.of(received.opcode())).kind() == RcOpcode.Kind.SEND;
        assertThat(received.extra()).as("seed %d", seed).isEqualTo(expectedReceives.get(i).extra());
        assertThat(received.data()).as("seed %d", seed).hasSameSizeAs(expectedReceives.get(i).data());
        if (hasData) {
          assertThat(received.data()).as("seed %d", seed).isEqualTo(expectedReceives.get(i).data());
        }
      }
    }

    private int length() {
      return random.nextInt(6) == 0 ? random.nextInt(3) * 256 : random.nextInt(MESSAGE);
    }

    private byte[] bytes(int length) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      return bytes;
    }
  }
}
