package io.twostep.device.vfio.state;

import static io.twostep.device.vfio.state.DeviceState.ERROR;
import static io.twostep.device.vfio.state.DeviceState.PRE_COPY;
import static io.twostep.device.vfio.state.DeviceState.PRE_COPY_P2P;
import static io.twostep.device.vfio.state.DeviceState.RESUMING;
import static io.twostep.device.vfio.state.DeviceState.RUNNING;
import static io.twostep.device.vfio.state.DeviceState.RUNNING_P2P;
import static io.twostep.device.vfio.state.DeviceState.STOP;
import static io.twostep.device.vfio.state.DeviceState.STOP_COPY;

import java.util.ArrayList;
import java.util.List;

/**
 * Finds the way from one migration state to another: one table, by hops that every device has arcs for.
 *
 * <p>The table is that of a device with all features. A hop into a state that the device lacks is skipped: the way goes on from there until it meets one that it has.
 */
public final class StateTable {
  /** The next hop, by current state (row) and target (column), both by {@link DeviceState#code}. ERROR: there is no way. */
  private static final DeviceState[][] NEXT = {
    //              ERROR  STOP         RUNNING      STOP_COPY    RESUMING     RUNNING_P2P  PRE_COPY     PRE_COPY_P2P
    /* ERROR */ {ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR},
    /* STOP */ {ERROR, STOP, RUNNING_P2P, STOP_COPY, RESUMING, RUNNING_P2P, RUNNING_P2P, RUNNING_P2P},
    /* RUNNING */ {ERROR, RUNNING_P2P, RUNNING, RUNNING_P2P, RUNNING_P2P, RUNNING_P2P, PRE_COPY, RUNNING_P2P},
    /* STOP_COPY */ {ERROR, STOP, STOP, STOP_COPY, STOP, STOP, ERROR, ERROR},
    /* RESUMING */ {ERROR, STOP, STOP, STOP, RESUMING, STOP, STOP, STOP},
    /* RUNNING_P2P */ {ERROR, STOP, RUNNING, STOP, STOP, RUNNING_P2P, RUNNING, PRE_COPY_P2P},
    /* PRE_COPY */ {ERROR, RUNNING, RUNNING, PRE_COPY_P2P, RUNNING, RUNNING, PRE_COPY, PRE_COPY_P2P},
    /* PRE_COPY_P2P */ {ERROR, RUNNING_P2P, RUNNING_P2P, STOP_COPY, RUNNING_P2P, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P},
  };

  private StateTable() {}

  /**
   * Return the next state on the way.
   *
   * @return {@code target} itself if it is one arc away or reached already
   * @throws IllegalArgumentException if the device lacks either state, if either is ERROR, or if no way leads there; nothing is to be changed then
   */
  public static DeviceState nextHop(MigrationFeatures features, DeviceState from, DeviceState target) {
    if (!features.supports(from) || !features.supports(target)) {
      throw refused(from, target, "a device of features " + features + " has no such state");
    }
    DeviceState hop = NEXT[from.code()][target.code()];
    while (hop != ERROR && !features.supports(hop)) {
      hop = NEXT[hop.code()][target.code()];
    }
    if (hop == ERROR) {
      throw refused(
          from, target, from == ERROR ? "only a reset leads out of ERROR" : target == ERROR ? "ERROR is not chosen" : "what is stopped must run before it pre-copies again");
    }
    return hop;
  }

  /**
   * Return the states on the way, without {@code from}, with {@code target}; empty if it is reached already.
   *
   * @throws IllegalArgumentException as {@link #nextHop} does
   */
  public static List<DeviceState> path(MigrationFeatures features, DeviceState from, DeviceState target) {
    List<DeviceState> path = new ArrayList<>();
    DeviceState at = from;
    DeviceState hop = nextHop(features, at, target);
    while (hop != at) {
      path.add(hop);
      at = hop;
      hop = nextHop(features, at, target);
    }
    return path;
  }

  private static IllegalArgumentException refused(DeviceState from, DeviceState target, String why) {
    return new IllegalArgumentException("no way from " + from + " to " + target + ": " + why);
  }
}
