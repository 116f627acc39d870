package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CstsLayout;

/** The controller's life between CC and CSTS (Base 3.5, 3.6): what the host asked for, what is so, and what is under way until when. */
final class ControllerState {
  private final NvmeModelConfig config;

  private int cc;
  private boolean ready;
  private boolean fatal;
  private boolean subsystemResetOccurred;
  private int shutdown = CstsLayout.SHST_NORMAL;
  private boolean changing;
  private long changeAt;
  private boolean shuttingDown;
  private long shutdownAt;

  ControllerState(NvmeModelConfig config) {
    this.config = config;
  }

  /** Return to power-on. */
  void powerOn() {
    cc = 0;
    ready = false;
    fatal = false;
    subsystemResetOccurred = false;
    shutdown = CstsLayout.SHST_NORMAL;
    changing = false;
    shuttingDown = false;
  }

  int cc() {
    return cc;
  }

  boolean isEnabled() {
    return CcLayout.EN.isSet(cc);
  }

  boolean isReady() {
    return ready;
  }

  /** Tell whether commands are carried out. */
  boolean isWorking() {
    return ready && isEnabled() && !fatal && shutdown == CstsLayout.SHST_NORMAL;
  }

  void setCc(int value) {
    cc = value;
  }

  void fail() {
    fatal = true;
  }

  /** Begin to become ready. */
  void enable(long now) {
    fatal = false;
    shutdown = CstsLayout.SHST_NORMAL;
    change(now);
  }

  /** Begin to become not ready; everything else is as after a reset at once. */
  void disable(long now) {
    fatal = false;
    shutdown = CstsLayout.SHST_NORMAL;
    shuttingDown = false;
    change(now);
  }

  private void change(long now) {
    changing = true;
    changeAt = now + config.readyNanos();
  }

  /** Begin a shutdown. */
  void shutDown(long now) {
    shutdown = CstsLayout.SHST_OCCURRING;
    shuttingDown = true;
    shutdownAt = now + config.shutdownNanos();
  }

  void noteSubsystemReset() {
    subsystemResetOccurred = true;
  }

  void clearSubsystemReset() {
    subsystemResetOccurred = false;
  }

  /** Let changes happen whose time has come; returns when the next one is due, or -1. */
  long advance(long now) {
    if (changing && now - changeAt >= 0) {
      changing = false;
      ready = isEnabled();
    }
    if (shuttingDown && now - shutdownAt >= 0) {
      shuttingDown = false;
      shutdown = CstsLayout.SHST_COMPLETE;
    }
    if (changing) {
      return changeAt - now;
    }
    return shuttingDown ? shutdownAt - now : -1;
  }

  /** Return CSTS. */
  int csts() {
    int csts = CstsLayout.RDY.with(0, ready ? 1 : 0);
    csts = CstsLayout.CFS.with(csts, fatal ? 1 : 0);
    csts = CstsLayout.SHST.with(csts, shutdown);
    return CstsLayout.NSSRO.with(csts, subsystemResetOccurred ? 1 : 0);
  }
}
