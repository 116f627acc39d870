package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ThreadPlacesTest {
  /** More calls than any patience: asked, and taken. */
  private static final int LONG = 20_000;

  private static final int MOST_PAUSE = 3000;

  @Test
  void countsThatNoStructureHasAreRefused() {
    for (int count : new int[] {0, -1, (1 << 20) + 1}) {
      assertThatThrownBy(() -> new ThreadPlaces(count)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not " + count);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 7, 8, 12, 16})
  void threadsOfWhateverNumbersHaveAPlaceEachAndKeepIt(int count) {
    Random random = new Random(20_261_122L + count);
    for (int round = 0; round < 200; round++) {
      ThreadPlaces places = new ThreadPlaces(count);
      // All alike in their lowest bits, or not.
      int step = 1 << random.nextInt(8);
      long[] threads = random.longs(count, 1, 1000).map(number -> number * step).distinct().toArray();
      int[] first = new int[threads.length];
      for (int i = 0; i < threads.length; i++) {
        first[i] = places.of(threads[i]);
        assertThat(first[i]).isBetween(0, count - 1);
      }
      assertThat(first).doesNotHaveDuplicates();
      for (int call = 0; call < LONG; call++) {
        int i = random.nextInt(threads.length);
        assertThat(places.of(threads[i])).isEqualTo(first[i]);
      }
    }
  }

  @Test
  void threadsThatWereStartedInARowHaveNeighbouringPlaces() {
    ThreadPlaces places = new ThreadPlaces(4);
    assertThat(IntStream.range(40, 44).map(places::of)).containsExactly(0, 1, 2, 3);
  }

  /** Where a thread's number leads says nothing of who owns that place; so those looked at have a place that is not the one their number leads to. */
  private static ThreadPlaces withOwners(long... threads) {
    ThreadPlaces places = new ThreadPlaces(threads.length);
    for (int i = 0; i < threads.length; i++) {
      assertThat(places.of(threads[i])).isEqualTo(i);
    }
    return places;
  }

  @Test
  void placeOfAThreadThatIsThereNoMoreGoesToOneThatSharesIt() {
    ThreadPlaces places = withOwners(8, 12, 16, 20);
    for (int call = 0; call < LONG; call++) {
      assertThat(places.of(8)).isZero();
      assertThat(places.of(25)).isOne();
      assertThat(places.of(16)).isEqualTo(2);
      assertThat(places.of(20)).isEqualTo(3);
    }
    // Thread 12 finds place 1 taken, and has to share where its number leads.
    assertThat(places.of(12)).isZero();
    assertThat(places.of(25)).isOne();
  }

  @Test
  void placeGoesToNobodyWhileItsThreadIsThere() {
    ThreadPlaces places = withOwners(8, 12, 16, 20);
    for (int call = 0; call < LONG; call++) {
      for (long sharing = 24; sharing < 28; sharing++) {
        assertThat(places.of(sharing)).isEqualTo((int) sharing & 3);
      }
      assertThat(places.of(8)).isZero();
      assertThat(places.of(12)).isOne();
      assertThat(places.of(16)).isEqualTo(2);
      assertThat(places.of(20)).isEqualTo(3);
    }
  }

  /** However many threads came and went before, and wherever the numbers of the next ones lead. */
  @Test
  void threadsHaveAPlaceEachAfterManyOthersHaveEnded() {
    ThreadPlaces places = new ThreadPlaces(16);
    for (long gone = 1; gone < 1000; gone++) {
      places.of(gone);
    }
    for (int call = 0; call < LONG; call++) {
      for (long thread = 1024; thread < 1024 + 16 * 16; thread += 16) {
        places.of(thread);
      }
    }
    assertThat(LongStream.range(0, 16).map(i -> places.of(1024 + 16 * i))).doesNotHaveDuplicates();
  }

  /** Who is not where its number leads looks further with every call. */
  @Test
  void threadsThatComeWhenOthersHaveEndedMostlyHaveThePlaceThatTheirNumberLeadsTo() {
    ThreadPlaces places = withOwners(LongStream.range(16, 32).toArray());
    int there = 0;
    for (long thread = 1; thread <= 100; thread++) {
      long number = 1024 + 16 * thread + 3;
      for (int call = 0; call < LONG; call++) {
        places.of(number);
      }
      there += places.of(number) == 3 ? 1 : 0;
    }
    assertThat(there).isGreaterThan(60);
  }

  @Test
  void threadThatComesBackWhileItIsAskedKeepsItsPlace() {
    ThreadPlaces places = withOwners(8, 12, 16, 20);
    int least = 0;
    while (places.of(12) == 1 && least < MOST_PAUSE) {
      least++;
      for (int call = 0; call < least; call++) {
        places.of(8);
        places.of(16);
        places.of(20);
        places.of(25);
      }
    }
    assertThat(least).as("calls of another without an answer").isBetween(256, MOST_PAUSE - 1);
  }

  @Test
  void threadsThatComeAtOnceHaveAPlaceEach() throws InterruptedException {
    int count = 8;
    for (int round = 0; round < 50; round++) {
      ThreadPlaces places = new ThreadPlaces(count);
      CyclicBarrier start = new CyclicBarrier(count);
      Map<Thread, Integer> found = new ConcurrentHashMap<>();
      Set<Thread> moved = ConcurrentHashMap.newKeySet();
      Thread[] threads =
          IntStream.range(0, count)
              .mapToObj(
                  i ->
                      new Thread(
                          () -> {
                            try {
                              start.await();
                            } catch (Exception e) {
                              throw new IllegalStateException(e);
                            }
                            int first = places.ofThread();
                            found.put(Thread.currentThread(), first);
                            for (int call = 0; call < LONG; call++) {
                              if (places.ofThread() != first) {
                                moved.add(Thread.currentThread());
                              }
                            }
                          }))
              .toArray(Thread[]::new);
      for (Thread thread : threads) {
        thread.start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(found.values()).hasSize(count).doesNotHaveDuplicates();
      assertThat(moved).isEmpty();
    }
  }
}
