"""Drawing: pictures of graphs, surrogates and measurements."""
