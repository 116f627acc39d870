package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class RetirementTest {
  private final List<String> events = new ArrayList<>();
  private final Retirement retirement = new Retirement();
  private final Invalidator space =
      (first, last, tables) -> events.add("invalidate " + Long.toHexString(first) + ".." + Long.toHexString(last) + " " + tables);
  private final DmaOps owner = owner("");

  private interface Release {
    void of(int phase, long a, long b, long c);
  }

  private DmaOps owner(String name) {
    return owner((phase, a, b, c) -> events.add(name + phase + ":" + a));
  }

  /** Ops of which only the release is ever called. */
  private static DmaOps owner(Release release) {
    return (DmaOps)
        Proxy.newProxyInstance(
            DmaOps.class.getClassLoader(),
            new Class<?>[] {DmaOps.class},
            (proxy, method, arguments) -> {
              assertThat(method.getName()).isEqualTo("retire");
              release.of((int) arguments[0], (long) arguments[1], (long) arguments[2], (long) arguments[3]);
              return null;
            });
  }

  /** Ops of which only the unmap is ever called, and the device's name asked. */
  private static DmaOps unmapping(Consumer<MappingState> unmap) {
    return unmapping(unmap, state -> {});
  }

  /** The same, which also hear what is not used again. */
  private static DmaOps unmapping(Consumer<MappingState> unmap, Consumer<MappingState> forget) {
    return (DmaOps)
        Proxy.newProxyInstance(
            DmaOps.class.getClassLoader(),
            new Class<?>[] {DmaOps.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("device")) {
                return "0000:01:00.0";
              }
              assertThat(method.getName()).isIn("unmap", "forget");
              (method.getName().equals("unmap") ? unmap : forget).accept((MappingState) arguments[0]);
              return null;
            });
  }

  @Test
  void releasesInTheOrderOfThePhasesWhateverTheOrderOfRegistration() {
    retirement.retire(Retirement.OWNER, owner, 1, 0, 0);
    retirement.retire(Retirement.IOVA, owner, 2, 0, 0);
    retirement.invalidate(space, 0x5000, 0x5fff, false);
    retirement.retire(Retirement.SLOTS, owner, 3, 0, 0);
    retirement.retire(Retirement.TABLES, owner, 4, 0, 0);
    retirement.retire(Retirement.COPY_OUT, owner, 5, 0, 0);
    retirement.retire(Retirement.COPY_OUT, owner, 6, 0, 0);
    retirement.invalidate(space, 0x1000, 0x1fff, true);
    assertThat(retirement.pending()).isEqualTo(6);
    retirement.complete();
    assertThat(events).containsExactly("invalidate 1000..5fff true", "0:5", "0:6", "1:4", "2:3", "3:2", "4:1");
    assertThat(retirement.isEmpty()).isTrue();
    assertThat(retirement.pending()).isZero();
  }

  @Test
  void keepsAddressesAndAccountsUntilItIsCompletedWhole() {
    retirement.invalidate(space, 0x1000, 0x1fff, false);
    retirement.retire(Retirement.OWNER, owner, 1, 0, 0);
    retirement.retire(Retirement.IOVA, owner, 2, 0, 0);
    retirement.retire(Retirement.SLOTS, owner, 3, 0, 0);
    retirement.retire(Retirement.IOVA, owner, 4, 0, 0);
    retirement.retire(Retirement.COPY_OUT, owner, 5, 0, 0);
    retirement.completeButAddresses();
    assertThat(events).containsExactly("invalidate 1000..1fff false", "0:5", "2:3");
    assertThat(retirement.pending()).isEqualTo(3);
    assertThat(retirement.isEmpty()).isFalse();
    assertThat(retirement.isInvalidated()).isTrue();
    retirement.completeButAddresses();
    assertThat(events).hasSize(3);
    retirement.complete();
    assertThat(events.subList(3, 6)).containsExactly("3:2", "3:4", "4:1");
    assertThat(retirement.isEmpty()).isTrue();
  }

  @Test
  void keepsAnAddressThatIsAllThatWaits() {
    retirement.retire(Retirement.IOVA, owner, 2, 0, 0);
    retirement.completeButAddresses();
    assertThat(events).isEmpty();
    retirement.complete();
    assertThat(events).containsExactly("3:2");
  }

  @Test
  void keepsEverythingWhereTheInvalidationFails() {
    retirement.invalidate((first, last, tables) -> { throw new IllegalStateException("no answer"); }, 0, 0xfff, false);
    retirement.retire(Retirement.SLOTS, owner, 3, 0, 0);
    assertThatThrownBy(retirement::completeButAddresses).hasMessageContaining("could not be proved gone");
    assertThat(retirement.isInvalidated()).isFalse();
    assertThat(retirement.pending()).isEqualTo(1);
    assertThat(events).isEmpty();
  }

  @Test
  void completesNothingWhenEmpty() {
    retirement.complete();
    assertThat(retirement.isEmpty()).isTrue();
    assertThat(events).isEmpty();
  }

  @Test
  void handsAllThreeLongsToTheOwner() {
    DmaOps listening = owner((phase, a, b, c) -> events.add(phase + " " + a + " " + b + " " + c));
    retirement.retire(Retirement.IOVA, listening, 7, -8, Long.MIN_VALUE);
    retirement.complete();
    assertThat(events).containsExactly("3 7 -8 " + Long.MIN_VALUE);
  }

  @Test
  void invalidatesUpToTheLastAddressThereIs() {
    retirement.invalidate(space, -4096L, -1L, false);
    retirement.invalidate(space, 0x7fff_ffff_ffff_f000L, 0x7fff_ffff_ffff_ffffL, false);
    retirement.complete();
    assertThat(events).containsExactly("invalidate 7ffffffffffff000..ffffffffffffffff false");
  }

  @Test
  void releasesNothingThatCouldNotBeInvalidatedUntilItCan() {
    boolean[] fails = {true};
    Invalidator failing =
        (first, last, tables) -> {
          if (fails[0]) {
            throw new IllegalStateException("timed out");
          }
          events.add("invalidated " + Long.toHexString(first));
        };
    retirement.invalidate(failing, 0x3000, 0x3fff, false);
    retirement.retire(Retirement.IOVA, owner, 1, 0, 0);
    assertThat(retirement.isUnproved()).as("nobody tried").isFalse();
    assertThatThrownBy(retirement::complete)
        .isInstanceOfSatisfying(
            DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED))
        .hasMessageContaining("0x3000..0x3fff")
        .hasMessageContaining("1 releases")
        .hasRootCauseMessage("timed out");
    assertThat(events).isEmpty();
    assertThat(retirement.isEmpty()).isFalse();
    assertThat(retirement.pending()).isEqualTo(1);
    assertThat(retirement.isUnproved()).isTrue();
    fails[0] = false;
    retirement.complete();
    assertThat(events).containsExactly("invalidated 3000", "3:1");
    assertThat(retirement.isUnproved()).isFalse();
    assertThat(retirement.isEmpty()).isTrue();
  }

  @Test
  void releasesNothingBeforeWhatAFailedCallLeftIsDown() {
    boolean[] fails = {true};
    MappingState left = new MappingState(0);
    left.dmaAddress = 0x7000;
    left.length = 0x800;
    DmaOps layer =
        unmapping(
            state -> {
              assertThat(state).isSameAs(left);
              if (fails[0]) {
                throw new IllegalStateException("not confirmed");
              }
              events.add("unmapped");
              retirement.invalidate(space, 0x7000, 0x7fff, false);
              retirement.retire(Retirement.IOVA, owner, 2, 0, 0);
            });
    retirement.withhold(layer, left);
    assertThat(retirement.isEmpty()).isFalse();
    retirement.retire(Retirement.SLOTS, owner, 1, 0, 0);
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(retirement::complete)
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED))
          .hasMessageContaining("0000:01:00.0: 0x7000+0x800")
          .hasMessageContaining("1 releases")
          .hasRootCauseMessage("not confirmed");
      assertThat(events).isEmpty();
      assertThat(retirement.isEmpty()).isFalse();
      assertThat(retirement.isInvalidated()).isFalse();
      assertThat(retirement.isUnproved()).isTrue();
    }
    fails[0] = false;
    retirement.complete();
    assertThat(events).containsExactly("unmapped", "invalidate 7000..7fff false", "2:1", "3:2");
    assertThat(retirement.isEmpty()).isTrue();
    assertThat(retirement.isInvalidated()).isTrue();
  }

  @Test
  void takesDownEachLeftoverOnce() {
    List<MappingState> down = new ArrayList<>();
    List<MappingState> forgotten = new ArrayList<>();
    MappingState stuck = new MappingState(0);
    MappingState first = new MappingState(0);
    MappingState last = new MappingState(0);
    boolean[] fails = {true};
    DmaOps layer =
        unmapping(
            state -> {
              if (state == stuck && fails[0]) {
                throw new IllegalStateException("not confirmed");
              }
              down.add(state);
            },
            forgotten::add);
    retirement.withhold(layer, first);
    retirement.withhold(layer, stuck);
    retirement.withhold(layer, last);
    assertThatThrownBy(retirement::complete).isInstanceOf(DmaMappingException.class);
    fails[0] = false;
    retirement.complete();
    assertThat(down).containsExactly(first, stuck, last);
    assertThat(forgotten).as("not used again").containsExactly(first, stuck, last);
  }

  @Test
  void oneFailedReleaseDoesNotKeepTheOthers() {
    DmaOps failing =
        owner(
            (phase, a, b, c) -> {
              throw new IllegalStateException(a == 1 ? "first" : "second");
            });
    retirement.retire(Retirement.COPY_OUT, failing, 1, 0, 0);
    retirement.retire(Retirement.SLOTS, owner, 2, 0, 0);
    retirement.retire(Retirement.IOVA, failing, 3, 0, 0);
    retirement.retire(Retirement.OWNER, owner, 4, 0, 0);
    assertThatThrownBy(retirement::complete)
        .hasMessage("first")
        .satisfies(e -> assertThat(e.getSuppressed()).singleElement().hasToString("java.lang.IllegalStateException: second"));
    assertThat(events).containsExactly("2:2", "4:4");
    assertThat(retirement.isEmpty()).isTrue();
  }

  @Test
  void refusesAnotherAddressSpaceUntilComplete() {
    Invalidator other = (first, last, tables) -> events.add("other");
    retirement.invalidate(space, 0, 1, false);
    assertThatThrownBy(() -> retirement.invalidate(other, 0, 1, false)).isInstanceOf(IllegalStateException.class);
    retirement.complete();
    retirement.invalidate(other, 0, 1, false);
    retirement.complete();
    assertThat(events).containsExactly("invalidate 0..1 false", "other");
  }

  @Test
  void refusesPhasesThatDoNotExist() {
    assertThatThrownBy(() -> retirement.retire(5, owner, 0, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> retirement.retire(-1, owner, 0, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    assertThat(retirement.isEmpty()).isTrue();
  }

  @Test
  void refusesReleasesThatAskForMoreReleases() {
    DmaOps again = owner((phase, a, b, c) -> retirement.retire(Retirement.OWNER, owner, 0, 0, 0));
    retirement.retire(Retirement.SLOTS, again, 0, 0, 0);
    assertThatThrownBy(retirement::complete).isInstanceOf(IllegalStateException.class).hasMessageContaining("phases");
    retirement.retire(Retirement.SLOTS, owner, 1, 0, 0);
    retirement.complete();
    assertThat(events).containsExactly("2:1");
  }

  @Test
  void keepsManyEntriesInOrder() {
    for (int i = 0; i < 1000; i++) {
      retirement.retire(i % 2 == 0 ? Retirement.SLOTS : Retirement.TABLES, owner, i, 0, 0);
    }
    retirement.complete();
    assertThat(events).hasSize(1000).startsWith("1:1", "1:3").endsWith("2:996", "2:998");
  }
}
