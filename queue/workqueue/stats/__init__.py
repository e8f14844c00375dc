"""What a person who looks after localfn wants to see; decides nothing.

tally: what each minute saw, stored once it is over. histogram: percentiles of it. backlog: what waits, by queue.
sandboxes: those of every machine. series, health: the tally as charts show it. problems: what is wrong;
sentences: in which words. highlights: which requests are named.
overview: all of it, asked once for all screens that look. Every question is bounded, whatever the tables hold.
"""
