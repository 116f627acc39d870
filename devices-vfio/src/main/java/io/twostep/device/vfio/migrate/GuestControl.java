package io.twostep.device.vfio.migrate;

/** Stops and starts what runs a guest's CPUs. */
public interface GuestControl {
  /** A guest whose CPUs are stopped and started by nobody. */
  GuestControl NONE =
      new GuestControl() {
        @Override
        public void pause() {}

        @Override
        public void resume() {}
      };

  /** Stop the CPUs; when this returns they write no more. */
  void pause();

  /** Let the CPUs run. */
  void resume();
}
