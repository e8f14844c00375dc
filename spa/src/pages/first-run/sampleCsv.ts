/** Twelve penguins of the Palmer Archipelago (CC0), with numbers, texts, dates and missing values. */
export const SAMPLE_CSV = `species,island,bill_length_mm,bill_depth_mm,body_mass_g,sex,measured
Adelie,Torgersen,39.1,18.7,3750,male,2007-11-11
Adelie,Torgersen,39.5,17.4,3800,female,2007-11-11
Adelie,Torgersen,40.3,18,3250,female,2007-11-16
Adelie,Torgersen,,,,,2007-11-16
Adelie,Biscoe,37.8,18.3,3400,female,2007-11-10
Chinstrap,Dream,46.5,17.9,3500,female,2007-11-19
Chinstrap,Dream,50,19.5,3900,male,2007-11-19
Chinstrap,Dream,51.3,19.2,3650,male,2007-11-21
Gentoo,Biscoe,46.1,13.2,4500,female,2007-11-27
Gentoo,Biscoe,50,16.3,5700,male,2007-11-27
Gentoo,Biscoe,48.7,14.1,4450,female,2007-12-03
Gentoo,Biscoe,44.5,14.3,4100,,2007-12-03
`
