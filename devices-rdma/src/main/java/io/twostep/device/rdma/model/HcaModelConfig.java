package io.twostep.device.rdma.model;

/**
 * What kind of adapter a model is.
 *
 * @param mastersBus whether it says that it reaches memory itself; one that has its host's CPU copy does not
 * @param pollNanos how often it looks for packets without being told, nanoseconds of its machine; 0 for never, where {@link Wire#deliver} is called
 */
public record HcaModelConfig(boolean mastersBus, long pollNanos) {
  /** One that reaches memory and is told of packets. */
  public static final HcaModelConfig DEFAULT = new HcaModelConfig(true, 0);

  public HcaModelConfig {
    if (pollNanos < 0) {
      throw new IllegalArgumentException("an adapter cannot look for packets every " + pollNanos + " ns; 0 means never");
    }
  }
}
