package io.twostep.device.vfio.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every pair of states under every set of features, against ways written out by hand of the reference's rule. */
class StateTableTest {
  /** Rows: from. Columns: to STOP, RUN, SC, RES, R2, PC, PC2. "=" stays, "-" is refused, else the hops. */
  private enum Ways {
    STOP_COPY_ONLY(
        1,
        """
        STOP  =     RUN       SC       RES       -  -  -
        RUN   STOP  =         STOP>SC  STOP>RES  -  -  -
        SC    STOP  STOP>RUN  =        STOP>RES  -  -  -
        RES   STOP  STOP>RUN  STOP>SC  =         -  -  -
        R2    -     -         -        -         -  -  -
        PC    -     -         -        -         -  -  -
        PC2   -     -         -        -         -  -  -
        """),
    WITH_P2P(
        3,
        """
        STOP  =        R2>RUN       SC          RES          R2       -  -
        RUN   R2>STOP  =            R2>STOP>SC  R2>STOP>RES  R2       -  -
        SC    STOP     STOP>R2>RUN  =           STOP>RES     STOP>R2  -  -
        RES   STOP     STOP>R2>RUN  STOP>SC     =            STOP>R2  -  -
        R2    STOP     RUN          STOP>SC     STOP>RES     =        -  -
        PC    -        -            -           -            -        -  -
        PC2   -        -            -           -            -        -  -
        """),
    WITH_PRE_COPY(
        5,
        """
        STOP  =         RUN       SC       RES           -  RUN>PC       -
        RUN   STOP      =         STOP>SC  STOP>RES      -  PC           -
        SC    STOP      STOP>RUN  =        STOP>RES      -  -            -
        RES   STOP      STOP>RUN  STOP>SC  =             -  STOP>RUN>PC  -
        R2    -         -         -        -             -  -            -
        PC    RUN>STOP  RUN       SC       RUN>STOP>RES  -  =            -
        PC2   -         -         -        -             -  -            -
        """),
    WITH_BOTH(
        7,
        """
        STOP  =            R2>RUN       SC          RES              R2       R2>RUN>PC       R2>PC2
        RUN   R2>STOP      =            R2>STOP>SC  R2>STOP>RES      R2       PC              R2>PC2
        SC    STOP         STOP>R2>RUN  =           STOP>RES         STOP>R2  -               -
        RES   STOP         STOP>R2>RUN  STOP>SC     =                STOP>R2  STOP>R2>RUN>PC  STOP>R2>PC2
        R2    STOP         RUN          STOP>SC     STOP>RES         =        RUN>PC          PC2
        PC    RUN>R2>STOP  RUN          PC2>SC      RUN>R2>STOP>RES  RUN>R2   =               PC2
        PC2   R2>STOP      R2>RUN       SC          R2>STOP>RES      R2       PC              =
        """);

    final MigrationFeatures features;
    final String table;

    Ways(int bits, String table) {
      features = MigrationFeatures.of(bits);
      this.table = table;
    }
  }

  private static final List<DeviceState> COLUMNS =
      List.of(
          DeviceState.STOP,
          DeviceState.RUNNING,
          DeviceState.STOP_COPY,
          DeviceState.RESUMING,
          DeviceState.RUNNING_P2P,
          DeviceState.PRE_COPY,
          DeviceState.PRE_COPY_P2P);

  /** The arcs that the reference has in bold, and those that take their place where a device lacks states. */
  private static final Set<String> ARCS =
      Set.of(
          "STOP>SC", "STOP>RES", "STOP>R2", "RUN>R2", "RUN>PC", "SC>STOP", "RES>STOP", "R2>STOP", "R2>RUN", "R2>PC2", "PC>RUN", "PC>PC2", "PC2>SC", "PC2>R2", "PC2>PC",
          "RUN>STOP", "STOP>RUN", "PC>SC");

  private static DeviceState state(String name) {
    return switch (name) {
      case "STOP" -> DeviceState.STOP;
      case "RUN" -> DeviceState.RUNNING;
      case "SC" -> DeviceState.STOP_COPY;
      case "RES" -> DeviceState.RESUMING;
      case "R2" -> DeviceState.RUNNING_P2P;
      case "PC" -> DeviceState.PRE_COPY;
      case "PC2" -> DeviceState.PRE_COPY_P2P;
      default -> throw new AssertionError(name);
    };
  }

  @ParameterizedTest
  @EnumSource(Ways.class)
  void everyPairGoesWhereTheReferenceSaysByTheHopsItSaysOrIsRefused(Ways ways) {
    List<String> rows = ways.table.lines().toList();
    assertThat(rows).hasSize(COLUMNS.size());
    for (String row : rows) {
      String[] words = row.strip().split(" +");
      DeviceState from = state(words[0]);
      for (int i = 0; i < COLUMNS.size(); i++) {
        check(ways.features, from, COLUMNS.get(i), words[i + 1]);
      }
    }
  }

  private static void check(MigrationFeatures features, DeviceState from, DeviceState to, String way) {
    if (way.equals("-")) {
      assertThatIllegalArgumentException().as(from + " to " + to).isThrownBy(() -> StateTable.path(features, from, to)).withMessageContaining("no way from " + from + " to " + to);
      return;
    }
    List<DeviceState> hops = way.equals("=") ? List.of() : Arrays.stream(way.split(">", -1)).map(StateTableTest::state).toList();
    assertThat(StateTable.path(features, from, to)).as(from + " to " + to + " with " + features).isEqualTo(hops);
    if (!hops.isEmpty()) {
      assertThat(StateTable.nextHop(features, from, to)).isEqualTo(hops.getFirst());
    }
  }

  @ParameterizedTest
  @EnumSource(Ways.class)
  void waysUseOnlyDirectArcsAndAreShortAndOpenNoStreamOnTheWay(Ways ways) {
    for (DeviceState from : COLUMNS) {
      for (DeviceState to : COLUMNS) {
        if (!isRefused(ways.features, from, to)) {
          List<DeviceState> path = StateTable.path(ways.features, from, to);
          assertThat(path).hasSizeLessThanOrEqualTo(6).allMatch(ways.features::supports);
          DeviceState at = from;
          for (DeviceState hop : path) {
            assertThat(ARCS).contains(shortName(at) + ">" + shortName(hop));
            boolean opens = (hop.saves() || hop == DeviceState.RESUMING) && !at.saves();
            assertThat(opens && hop != to).as(from + " to " + to + " opens a stream in " + hop).isFalse();
            at = hop;
          }
        }
      }
    }
  }

  private static boolean isRefused(MigrationFeatures features, DeviceState from, DeviceState to) {
    try {
      StateTable.path(features, from, to);
      return false;
    } catch (IllegalArgumentException e) {
      return true;
    }
  }

  private static String shortName(DeviceState state) {
    return Arrays.stream(new String[] {"STOP", "RUN", "SC", "RES", "R2", "PC", "PC2"}).filter(name -> state(name) == state).collect(Collectors.joining());
  }

  @ParameterizedTest
  @EnumSource(Ways.class)
  void nothingLeadsIntoErrorOrOutOfIt(Ways ways) {
    for (DeviceState state : DeviceState.values()) {
      assertThat(isRefused(ways.features, DeviceState.ERROR, state)).as("out to " + state).isTrue();
      assertThat(isRefused(ways.features, state, DeviceState.ERROR)).as("in from " + state).isTrue();
    }
  }

  @Test
  void numbersAreThoseOfTheInterface() {
    assertThat(Arrays.stream(DeviceState.values()).map(state -> state + "=" + state.code()))
        .containsExactly("ERROR=0", "STOP=1", "RUNNING=2", "STOP_COPY=3", "RESUMING=4", "RUNNING_P2P=5", "PRE_COPY=6", "PRE_COPY_P2P=7");
    assertThat(Arrays.stream(DeviceState.values()).map(state -> DeviceState.of(state.code()))).containsExactly(DeviceState.values());
    assertThatIllegalArgumentException().isThrownBy(() -> DeviceState.of(8)).withMessageContaining("8 is no migration state");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, 4, 6, 8, 9})
  void otherSetsOfFeaturesAreRefused(int bits) {
    assertThatIllegalArgumentException().isThrownBy(() -> MigrationFeatures.of(bits)).withMessageContaining("not a legal set");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void legalSetsKeepTheirBits(int bits) {
    assertThat(MigrationFeatures.of(bits).bits()).isEqualTo(bits);
  }
}
