package io.twostep.device.vfio.migrate;

/** Stops and starts what runs a guest's CPUs. A call that threw is made again when whoever made it is asked once more. */
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
