package io.twostep.device.rdma.model;

/**
 * How a wire mistreats packets; each a probability from 0 to 1, drawn once for each packet.
 *
 * @param loss it does not arrive
 * @param duplication it arrives twice
 * @param reordering it overtakes some of those that wait before it
 * @param corruption one of its bits flips
 * @param truncation its end is missing
 */
public record WireFaults(double loss, double duplication, double reordering, double corruption, double truncation) {
  /** A wire that loses nothing. */
  public static final WireFaults NONE = new WireFaults(0, 0, 0, 0, 0);

  /** Check that all are probabilities. */
  public WireFaults {
    for (double probability : new double[] {loss, duplication, reordering, corruption, truncation}) {
      if (!(probability >= 0 && probability <= 1)) {
        throw new IllegalArgumentException("probability " + probability + " must be from 0 to 1");
      }
    }
  }
}
