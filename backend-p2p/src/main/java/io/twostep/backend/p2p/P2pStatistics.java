package io.twostep.backend.p2p;

/**
 * What the peer layer did since it was made.
 *
 * @param devices devices attached now whose stacks have the layer
 * @param routesJudged routes that were judged rather than remembered
 * @param busMappings ranges that were given bus addresses
 * @param refused ranges of peers that were found out of reach
 */
public record P2pStatistics(int devices, long routesJudged, long busMappings, long refused) {}
