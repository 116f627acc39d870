package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.MemoryRegion;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Pieces of one range: the best fit, aligned, joined again; random histories against a bitmap. */
class PeerPiecesTest {
  @Test
  void theSmallestFreePieceThatFitsIsTaken() {
    PeerPieces pieces = new PeerPieces("bar", 0, 1000);
    long[] at = new long[5];
    long[] lengths = {100, 50, 300, 50, 200};
    for (int i = 0; i < at.length; i++) {
      at[i] = pieces.allocate(lengths[i], 1);
    }
    pieces.release(at[0]);
    pieces.release(at[2]);
    pieces.release(at[4]);
    assertThat(pieces.allocate(90, 1)).as("not the 300 or the 500 at the end").isEqualTo(at[0]);
    assertThat(pieces.allocate(300, 1)).isEqualTo(at[2]);
    assertThat(pieces.largestFree()).isEqualTo(500);
    assertThat(pieces.allocate(501, 1)).isEqualTo(PeerPieces.NONE);
    assertThat(pieces.freeBytes()).isEqualTo(510);
  }

  @Test
  void alignmentIsThatOfTheAddressAndSkippedBytesStayFree() {
    PeerPieces pieces = new PeerPieces("bar", 0x100, 0x3000);
    long at = pieces.allocate(0x1000, 0x1000);
    assertThat(at).isEqualTo(0xF00);
    assertThat(pieces.allocate(0xF00, 1)).isZero();
    pieces.release(0);
    pieces.release(at);
    assertThat(pieces.largestFree()).isEqualTo(0x3000);
    assertThatThrownBy(() -> pieces.release(at)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void randomHistoriesNeverOverlapAndFindWhatFits() throws InterruptedException {
    Seeds.run(
        20_261_121,
        random -> {
          int units = 512;
          PeerPieces pieces = new PeerPieces("bar", 0, units * 64L);
          BitSet taken = new BitSet(units);
          Map<Long, Integer> live = new TreeMap<>();
          for (int step = 0; step < 20_000; step++) {
            if (random.nextInt(5) < 3) {
              int count = 1 + random.nextInt(40);
              int align = 1 << random.nextInt(5);
              long at = pieces.allocate(count * 64L, align * 64L);
              assertThat(at != PeerPieces.NONE).as("step %d", step).isEqualTo(fits(taken, units, count, align));
              if (at != PeerPieces.NONE) {
                int unit = (int) (at / 64);
                assertThat(at % (align * 64L)).isZero();
                assertThat(taken.get(unit, unit + count).isEmpty()).as("step %d", step).isTrue();
                taken.set(unit, unit + count);
                live.put(at, count);
              }
            } else if (!live.isEmpty()) {
              long at = live.keySet().stream().skip(random.nextInt(live.size())).findFirst().orElseThrow();
              int count = live.remove(at);
              pieces.release(at);
              taken.clear((int) (at / 64), (int) (at / 64) + count);
            }
            assertThat(pieces.freeBytes()).isEqualTo((units - taken.cardinality()) * 64L);
            assertThat(pieces.allocated()).isEqualTo(live.size());
          }
        });
  }

  @Test
  void whatMappingsHoldIsNeitherGivenOutNorGivenBackAndKeepsItsBounds() throws InterruptedException {
    Seeds.run(
        20_261_122,
        random -> {
          int units = 128;
          PeerPieces pieces = new PeerPieces("bar", 0x1000, units);
          BitSet taken = new BitSet(units);
          int[] holds = new int[units];
          Map<Long, Integer> live = new TreeMap<>();
          List<List<MemoryRegion>> mappings = new ArrayList<>();
          for (int step = 0; step < 10_000; step++) {
            int choice = random.nextInt(8);
            if (choice < 2) {
              int length = 1 + random.nextInt(20);
              long at = pieces.allocate(length, 1);
              assertThat(at != PeerPieces.NONE).as("step %d: room for %d", step, length).isEqualTo(fits(takenOrHeld(taken, holds), units, length, 1));
              if (at != PeerPieces.NONE) {
                for (int i = (int) at; i < at + length; i++) {
                  assertThat(taken.get(i) || holds[i] != 0).as("step %d, byte %d", step, i).isFalse();
                }
                taken.set((int) at, (int) at + length);
                live.put(at, length);
              }
            } else if (choice < 4 && !live.isEmpty()) {
              long at = live.keySet().stream().skip(random.nextInt(live.size())).findFirst().orElseThrow();
              int length = live.get(at);
              if (IntStream.range((int) at, (int) at + length).anyMatch(i -> holds[i] != 0)) {
                assertThatThrownBy(() -> pieces.release(at)).isInstanceOf(IllegalStateException.class).hasMessageContaining("still hold it");
              } else {
                pieces.release(at);
                live.remove(at);
                taken.clear((int) at, (int) at + length);
              }
            } else if (choice < 6) {
              int from = random.nextInt(units);
              mappings.add(map(pieces, 0x1000 + from, 1 + random.nextInt(units - from), taken, holds));
            } else if (!mappings.isEmpty()) {
              for (MemoryRegion piece : mappings.remove(random.nextInt(mappings.size()))) {
                assertThat(pieces.at(piece.first())).as("step %d", step).isSameAs(piece);
                piece.unpin();
                count(piece, holds, -1);
              }
            }
          }
          mappings.forEach(mapping -> mapping.forEach(MemoryRegion::unpin));
          live.keySet().forEach(pieces::release);
          assertThat(pieces.largestFree()).isEqualTo(units);
        });
  }

  private static List<MemoryRegion> map(PeerPieces pieces, long phys, long length, BitSet taken, int[] holds) {
    List<MemoryRegion> held = new ArrayList<>();
    for (long done = 0; done < length; ) {
      MemoryRegion piece = pieces.pin(phys + done, length - done);
      assertThat(piece.spans(phys + done, 1)).isTrue();
      for (long at = piece.first(); at < piece.first() + piece.length(); at++) {
        int i = (int) (at - 0x1000);
        assertThat(at >= phys && at < phys + length || taken.get(i) || holds[i] != 0).as("byte %d is held with what was asked for", i).isTrue();
      }
      count(piece, holds, 1);
      held.add(piece);
      done = piece.first() + piece.length() - phys;
    }
    return held;
  }

  private static BitSet takenOrHeld(BitSet taken, int[] holds) {
    BitSet all = (BitSet) taken.clone();
    IntStream.range(0, holds.length).filter(i -> holds[i] != 0).forEach(all::set);
    return all;
  }

  private static void count(MemoryRegion piece, int[] holds, int change) {
    for (int i = 0; i < piece.length(); i++) {
      holds[(int) (piece.first() - 0x1000) + i] += change;
    }
  }

  private static boolean fits(BitSet taken, int units, int count, int align) {
    for (int at = 0; at + count <= units; at += align) {
      if (taken.get(at, at + count).isEmpty()) {
        return true;
      }
    }
    return false;
  }
}
